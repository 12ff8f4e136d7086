"""What a trainer's step costs more with gapless in it.

    python bench/integrations.py [turns]

A model so small that its step is nothing but the trainer's own work, trained with and without the callback in turns;
the difference of the best times of a step, in processor time and without what a training begins with, is the
callback's. Its recipe decays weights and adds noise to tables, so every batch goes through it and is left as it is.
Beside it: rotating and mixing 64
pictures of 8x8, which costs the same in any loop, and one measurement of the gap on 1,000 rows of each side. The
promise: the callback takes less than 2 % of a step of 20 ms.
"""

import contextlib
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from gapless import Recipe
from gapless.recipe import Augment, Decay, Op

STEP, SHORT, LONG, BATCH = 20e-3, 50, 250, 64
LIGHT = Recipe(decay=Decay(strength=0.05), augment=Augment(noise=0.1))
WHOLE = Recipe(decay=LIGHT.decay, augment=Augment(ops=(Op(op="rotate", strength=15.0),), mixup=0.2))


def network() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))


def rows(batches: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(BATCH, 3, 8, 8, generator=generator).repeat(batches, 1, 1, 1)
    return TensorDataset(pictures, torch.arange(len(pictures)) % 10)


def lightning_steps(recipe: Recipe | None, steps: int, measured: int = 0) -> Callable[[], None]:
    import pytorch_lightning

    from gapless.integrations.lightning import Gapless

    class Small(pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            pass

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    callbacks = [Gapless(recipe, classes=10, rows=measured)] if recipe is not None else []

    def run() -> None:
        trainer = pytorch_lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            callbacks=callbacks,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **quiet,
        )
        trainer.fit(Small(), DataLoader(rows(steps), BATCH), DataLoader(rows(16), BATCH))

    return run


def skorch_steps(recipe: Recipe | None, steps: int, measured: int = 0) -> Callable[[], None]:
    from skorch import NeuralNetClassifier
    from skorch.helper import predefined_split

    from gapless.integrations.skorch import Gapless

    callbacks = [Gapless(recipe, classes=10, rows=measured)] if recipe is not None else []
    options = {"criterion": nn.CrossEntropyLoss, "optimizer": torch.optim.AdamW, "batch_size": BATCH, "verbose": 0}
    net = NeuralNetClassifier(
        network, max_epochs=1, callbacks=callbacks, train_split=predefined_split(rows(16)), **options
    )
    data = rows(steps)
    return lambda: net.fit(data, y=None)


def trainer_steps(recipe: Recipe | None, steps: int, measured: int = 0) -> Callable[[], None]:
    from transformers import Trainer, TrainingArguments

    from gapless.integrations.transformers import Gapless

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
            logits = self.net(pixel_values)
            return {"logits": logits} | ({} if labels is None else {"loss": functional.cross_entropy(logits, labels)})

    def given(data: TensorDataset) -> list[dict[str, Any]]:
        return [{"pixel_values": x, "labels": int(y)} for x, y in zip(*data.tensors, strict=True)]

    train, new = given(rows(steps)), given(rows(16))

    def run() -> None:
        quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no"}
        with tempfile.TemporaryDirectory() as folder:
            options = {"per_device_train_batch_size": BATCH, "num_train_epochs": 1, "use_cpu": True}
            arguments = TrainingArguments(folder, dataloader_pin_memory=False, **options, **quiet)
            trainer = Trainer(Small(), arguments, train_dataset=train, eval_dataset=new)
            if recipe is not None:
                Gapless(recipe, classes=10, rows=measured).apply(trainer)
            trainer.train()

    return run


def loop_steps(recipe: Recipe | None, steps: int, measured: int = 0) -> Callable[[], None]:
    from gapless.integrations.loop import Gapless

    def run() -> None:
        model = network()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        gapless = None if recipe is None else Gapless(recipe, model, classes=10)
        if gapless is not None:
            gapless.optimizer(optimizer)
        loader = DataLoader(rows(steps), BATCH)
        for inputs, targets in loader if gapless is None else gapless.batches(loader, 0):
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        if measured and gapless is not None:
            gapless.measure(loader, DataLoader(rows(16), BATCH), 0)

    return run


KINDS = {"loop": loop_steps, "skorch": skorch_steps, "Lightning": lightning_steps, "transformers": trainer_steps}


def seconds(run: Callable[[], None]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.process_time()
        run()
        return time.process_time() - start


def alone(turns: int) -> float:
    """Seconds a batch of what every adapter does with one, without a trainer round it: the least of some turns."""
    from gapless.integrations.loop import Gapless

    gapless = Gapless(LIGHT, network(), classes=10)
    batches = [list(rows(1).tensors)] * 300
    return min(seconds(lambda: [None for _ in gapless.batches(batches, 0)]) for _ in range(turns)) / len(batches)


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    print(
        f"best of {turns} turns, {LONG} less {SHORT} steps; ms a step, and the share of a step of {STEP * 1000:.0f} ms"
    )
    own = alone(turns)
    print(f"a batch by itself {own * 1000:.3f} ms ({own / STEP:.2%}); the differences below hold the machine's noise")
    for name, make in KINDS.items():
        kinds = {"plain": None, "callback": LIGHT, "augmentation": WHOLE}
        runs = {(kind, steps): make(recipe, steps) for kind, recipe in kinds.items() for steps in (SHORT, LONG)}
        runs["gap", SHORT] = make(LIGHT, SHORT, 1000)
        best = dict.fromkeys(runs, float("inf"))
        for turn in range(turns + 1):
            for key, run in runs.items():
                taken = seconds(run)
                best[key] = min(best[key], taken) if turn else float("inf")  # the first one warms up
        step = {kind: (best[kind, LONG] - best[kind, SHORT]) / (LONG - SHORT) for kind in kinds}
        callback, augment = (step[kind] - step["plain"] for kind in ("callback", "augmentation"))
        gap = best["gap", SHORT] - best["callback", SHORT]
        print(
            f"{name:12} plain {step['plain'] * 1000:.2f}; callback +{callback * 1000:.3f} ms ({callback / STEP:.1%}); "
            f"rotating and mixing +{augment * 1000:.2f} ms; a measurement of the gap {gap * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
