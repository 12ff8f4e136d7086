"""The callback in Lightning's real Trainer."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from trained_digits import TURNED, WHOLE, digits, loader, network, run_example, same

from gapless import Recipe, UsageError
from gapless.dropout.places import rated
from gapless.recipe import Augment, BatchNorm, Decay, Dropout
from gapless.schedule import Linear

lightning = pytest.importorskip("pytorch_lightning")

from pytorch_lightning.callbacks import ModelCheckpoint  # noqa: E402

from gapless.integrations.lightning import Gapless  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}")
    for message in (
        ".isinstance.treespec, LeafSpec.. is deprecated:FutureWarning",  # Lightning 2.6 with torch 2.13
        ".*does not have many workers",
        ".*smaller than the logging interval",
        ".*but have no `val_dataloader`",
        ".*callbacks used to create the checkpoint need to be provided",
    )
]


class Digits(lightning.LightningModule):
    """As people write theirs; remembers what it was trained on."""

    def __init__(self, optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW):
        super().__init__()
        self.net, self.optimizer = network(), optimizer
        self.trained: list[tuple[Tensor, Tensor]] = []
        self.validated: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.trained.append(tuple(batch))
        return functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated.append(batch[0])
        self.log("val_loss", functional.cross_entropy(self(batch[0]), batch[1]), sync_dist=True)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters(), lr=0.01)
        return {"optimizer": optimizer, "lr_scheduler": CosineAnnealingLR(optimizer, 4)}


def trainer(folder: Path, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    if not any(isinstance(callback, ModelCheckpoint) for callback in callbacks):
        quiet["enable_checkpointing"] = False
    return lightning.Trainer(
        max_epochs=epochs, default_root_dir=folder, callbacks=list(callbacks), num_sanity_val_steps=0, **quiet | options
    )


def fit(folder: Path, callback: Gapless, *more: Any, shuffle: bool = False, checkpoint: Any = None, **options: Any):
    torch.manual_seed(1)
    module = Digits(options.pop("optimizer", torch.optim.AdamW))
    made = trainer(folder, callback, *more, **options)
    made.fit(module, loader(0, 64, shuffle=shuffle), loader(1000, 64), ckpt_path=checkpoint)
    return module, made


def test_each_pillar_is_on_while_it_trains(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(WHOLE.to_toml())
    callback = Gapless(tmp_path / "recipe.toml", classes=10)
    module, made = fit(tmp_path, callback)
    assert sorted(place.rate for place in rated(module)) == [0.2, 0.2]
    assert sum(isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d) for m in module.modules()) == 2
    group, spared = made.optimizers[0].param_groups
    assert {id(p) for p in group["params"]} == {id(m.weight) for m in module.modules() if hasattr(m, "in_features")} | {
        id(module.net[0].weight)
    }
    assert (group["weight_decay"], spared["weight_decay"]) == (0.05, 0)
    assert group["lr"] == spared["lr"] < 0.01, "the scheduler goes on for both groups"
    seen, targets = module.trained[0]
    assert not torch.equal(seen, digits()[0][:16])
    assert targets.shape == (16, 10)
    assert torch.equal(module.validated[0], digits()[0][1000:1016]), "validation sees the data as they are"


def test_the_gap_is_that_of_the_model_on_clean_rows(tmp_path: Path) -> None:
    callback = Gapless(Recipe(augment=TURNED), rows=32)
    module, made = fit(tmp_path, callback)
    logged, gap = made.callback_metrics, callback.watched.history[-1]
    assert logged["gapless/gap"] == pytest.approx(gap.right.gap)
    assert [g.epoch for g in callback.watched.history] == [0, 1]
    assert gap.rows == (32, 32)
    x, y = digits()
    every = Gapless(None)
    module.eval()
    right = (module(x[1000:1064]).argmax(1) == y[1000:1064]).float().mean()
    assert gap.right.low < float((module(x[:64]).argmax(1) == y[:64]).float().mean() - right) < gap.right.high
    assert every.recipe is None


def test_watching_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without, _ = fit(tmp_path, Gapless(None, rows=0), shuffle=True)
    capsys.readouterr()
    watched, _ = fit(tmp_path, Gapless.watch(), shuffle=True)
    assert same(without, watched)
    assert "points; loss" in capsys.readouterr().out


class Stop(lightning.Callback):
    """Ends the training after two epochs, as a machine that is switched off."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        trainer.should_stop = trainer.current_epoch == 1


@pytest.mark.parametrize("where", ["after validation", "after the epoch"])
def test_resuming_is_as_if_nothing_had_happened(tmp_path: Path, where: str) -> None:
    def callback() -> Gapless:
        return Gapless(WHOLE, classes=10, decay_schedule=Linear())

    saving = ModelCheckpoint(tmp_path, filename="half", save_on_train_epoch_end=where == "after the epoch")
    through, made = fit(tmp_path, callback(), epochs=4, shuffle=True)
    fit(tmp_path, callback(), saving, Stop(), epochs=4, shuffle=True)
    by = callback()
    torch.manual_seed(5)
    resumed, again = fit(tmp_path, by, epochs=4, shuffle=True, checkpoint=tmp_path / "half.ckpt")
    assert [len(each.trained) for each in (through, resumed)] == [16, 8]
    assert torch.equal(resumed.trained[-1][0], through.trained[-1][0])
    strengths = [[group["weight_decay"] for group in each.optimizers[0].param_groups] for each in (made, again)]
    assert strengths[0] == strengths[1]
    assert same(through, resumed)
    assert [gap.epoch for gap in by.watched.history][-2:] == [2, 3]


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_weights_shrink_as_the_recipe_says_in_any_optimizer(tmp_path: Path, optimizer: Any) -> None:
    class Still(Digits):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return self(batch[0]).sum() * 0

        def configure_optimizers(self) -> Any:
            return self.optimizer(self.parameters(), lr=0.1)

    module, before = Still(optimizer), network()
    trainer(tmp_path, Gapless(Recipe(decay=Decay(strength=0.5)), rows=0), epochs=1).fit(module, loader(0, 64))
    shrunk = (1 - 0.1 * 0.5) ** 4
    assert torch.allclose(module.net[0].weight, before[0].weight * shrunk, rtol=1e-5)
    assert torch.equal(module.net[0].bias, before[0].bias)


def test_folding_gives_the_module_as_its_author_wrote_it(tmp_path: Path) -> None:
    recipe = Recipe(dropout=Dropout(hidden=0.2), batchnorm=BatchNorm(insert=True))
    kept, _ = fit(tmp_path, Gapless(recipe))
    folded, made = fit(tmp_path, Gapless(recipe, at_end="fold"))
    assert folded.state_dict().keys() == Digits().state_dict().keys()
    assert str(folded) == str(Digits())
    x = digits()[0][:50]
    assert torch.allclose(kept.eval()(x), folded.eval()(x), atol=1e-5)
    made.test_step = None
    before = {name: tensor.clone() for name, tensor in folded.state_dict().items()}
    made.validate(folded, loader(1000, 32), verbose=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in folded.state_dict().items())


def test_a_checkpoint_is_validated_in_a_fresh_module(tmp_path: Path) -> None:
    saving = ModelCheckpoint(tmp_path, filename="last")
    module, made = fit(tmp_path, Gapless(WHOLE, classes=10), saving)
    expected = made.validate(module, loader(1000, 32), verbose=False)
    again = trainer(tmp_path, Gapless(WHOLE, classes=10))
    found = again.validate(Digits(), loader(1000, 32), ckpt_path=tmp_path / "last.ckpt", verbose=False)
    assert found == expected


@pytest.mark.parametrize("precision", ["bf16-true", "64-true", "bf16-mixed"])
def test_other_precisions(tmp_path: Path, precision: str) -> None:
    options: dict[str, Any] = {"precision": precision, "gradient_clip_val": 1.0, "epochs": 1}
    module, _ = fit(tmp_path, Gapless(WHOLE, classes=10), **options)
    dtype = {"bf16-true": torch.bfloat16, "64-true": torch.float64, "bf16-mixed": torch.float32}[precision]
    assert module.trained[0][0].dtype == module.trained[0][1].dtype == dtype


def test_a_model_built_in_configure_model(tmp_path: Path) -> None:
    class Late(Digits):
        def __init__(self) -> None:
            super().__init__()
            self.net = None

        def configure_model(self) -> None:
            if self.net is None:
                self.net = network()

    module = Late()
    trainer(tmp_path, Gapless(WHOLE, classes=10), epochs=1).fit(module, loader(0, 32))
    assert any(isinstance(m, nn.BatchNorm2d) for m in module.modules())


def test_a_datamodule_whose_hook_moves_the_data(tmp_path: Path) -> None:
    class Data(lightning.LightningDataModule):
        def train_dataloader(self) -> Any:
            return loader(0, 32)

        def val_dataloader(self) -> Any:
            return loader(1000, 32)

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            return [batch[0] / 2, batch[1]]

    module = Digits()
    trainer(tmp_path, Gapless(Recipe(augment=Augment(mixup=1.0)), classes=10), epochs=1).fit(module, datamodule=Data())
    assert float(module.trained[0][0].max()) <= 0.5
    assert module.trained[0][1].shape == (16, 10)
    assert "on_after_batch_transfer" not in vars(module), "nothing is left behind"


def test_normalised_pictures_are_brought_back(tmp_path: Path) -> None:
    x, y = digits()
    shifted = DataLoader(TensorDataset((x[:16] - 0.3) / 0.5, y[:16]), 16)
    plain, normal = Digits(), Digits()
    trainer(tmp_path, Gapless(Recipe(augment=TURNED), rows=0), epochs=1).fit(plain, loader(0, 16))
    by = Gapless(Recipe(augment=TURNED), rows=0, mean=[0.3], std=[0.5])
    trainer(tmp_path, by, epochs=1).fit(normal, shifted)
    assert torch.allclose(normal.trained[0][0] * 0.5 + 0.3, plain.trained[0][0], atol=1e-6)


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="classes=10"):
        fit(tmp_path, Gapless(WHOLE))
    with pytest.raises(UsageError, match="mean and std"):
        Gapless(WHOLE, mean=[0.5])


def test_two_processes_do_as_one(tmp_path: Path) -> None:
    """Without what belongs to a process: partners, batch statistics, dropout masks."""

    class Dealt(Digits):
        def train_dataloader(self) -> Any:
            rows, ranks = loader(0, 64).dataset, self.trainer.world_size
            sampler = DistributedSampler(rows, ranks, self.trainer.global_rank, shuffle=False)
            return DataLoader(rows, 16 // ranks, sampler=sampler)

    def by_sgd(**options: Any) -> tuple[Digits, Any]:
        module, callback = Dealt(torch.optim.SGD), Gapless(Recipe(augment=TURNED, decay=Decay(strength=0.5)))
        made = trainer(tmp_path, callback, use_distributed_sampler=False, **options)
        made.fit(module, val_dataloaders=loader(1000, 50))
        return module, made

    one, single = by_sgd()
    two, double = by_sgd(devices=2, strategy="ddp_fork")
    for name, tensor in one.state_dict().items():
        assert torch.allclose(two.state_dict()[name], tensor, atol=1e-5), name
    for name in ("gapless/gap", "gapless/gap_low", "gapless/new_loss"):
        assert float(double.callback_metrics[name]) == pytest.approx(float(single.callback_metrics[name]), abs=1e-5)


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes Lightning under its other name, while the callback here has that of `pytorch_lightning`."""
    (tmp_path / "recipe.toml").write_text(WHOLE.to_toml())
    run_example(monkeypatch, tmp_path, "in_lightning.py", "recipe.toml", 2)
    assert re.search(r"^gap -?[\d.]+$", capsys.readouterr().out, re.M)
