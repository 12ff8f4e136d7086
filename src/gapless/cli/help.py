"""How a command explains itself: its options in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "tune": (
        ("How long", ("minutes", "trials", "epochs", "workers", "device", "seed")),
        ("Result", ("out", "recipe", "first_diagnose", "save_model", "as_json")),
        ("Data", ("target", "text", "train_size", "test", "also", "group", "time_column", "metric", "aim")),
        ("Tables", ("ignore", "keep", "missing", "fold_case")),
        ("Pictures", ("image_size", "data_dir")),
        ("Model and training", ("model", "width", "depth", "batch_size", "optimizer", "ema")),
        ("On a Ray cluster", ("engine", "address", "gpus")),
        ("English texts in other words", ("translator", "masked_model")),
    )
}
"""The options of a command by their subject, by the names of its parameters."""


EXAMPLES = {
    "tune": (
        "gapless tune digits --minutes 2",
        "gapless tune customers.csv --target churn --save-model",
        "gapless tune reviews.csv --text review --target stars --minutes 10",
        "gapless tune photos/ --model my_code:network --trials 60",
    )
}
"""Lines to type, by the name of a command."""


class Grouped(TyperCommand):
    """A command whose help has its examples, and its options in the groups of `GROUPS`; what is in none comes last."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        if lines := EXAMPLES.get(self.name or ""):
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in lines))
        parameters: Sequence[Any] = self.get_params(ctx)
        left = {p.name: record for p in parameters if (record := p.get_help_record(ctx)) is not None}
        places = [p.name for p in parameters if p.param_type_name == "argument" and p.name in left]
        for title, names in (("Arguments", places), *GROUPS.get(self.name or "", ()), ("Other options", list(left))):
            records = [left.pop(name) for name in names if name in left]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
