"""The callback in Hugging Face's real Trainer, with a model for texts and one for pictures."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from trained_digits import TURNED, digits, run_example, same

from gapless import Recipe, UsageError
from gapless.recipe import Augment, Decay, Dropout, Op

transformers = pytest.importorskip("transformers")

from transformers import (  # noqa: E402
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from gapless.integrations.transformers import Gapless, Texts, soft_cross_entropy, write_rates  # noqa: E402

MIXED = Recipe(dropout=Dropout(hidden=0.3), decay=Decay(strength=0.05), augment=Augment(mixup=0.5, label_smoothing=0.1))
Rows = list[dict[str, Any]]


def bert() -> Any:
    small = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(**small, intermediate_size=32, max_position_embeddings=12))


def vit() -> Any:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(**small, image_size=8, patch_size=4, num_channels=1, num_labels=10))


@cache
def sentences(rows: int = 48) -> Rows:
    ids = torch.randint(1, 50, (rows, 8), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(8, dtype=torch.int64)
    return [{"input_ids": i, "attention_mask": mask, "labels": int(i.sum() > 200)} for i in ids]


def pictures(first: int, rows: int) -> Rows:
    x, y = digits()
    return [{"pixel_values": a, "labels": int(b)} for a, b in zip(x[first:][:rows], y[first:][:rows], strict=False)]


def trained(
    folder: Path, model: Any, callback: Gapless, rows: Rows, new: Rows | None = None, resume: Any = None, **options: Any
) -> Trainer:
    usual: dict[str, Any] = {"per_device_train_batch_size": 8, "num_train_epochs": 2, "learning_rate": 0.01, "seed": 3}
    usual |= {"save_strategy": "no", "logging_strategy": "no", "report_to": "none", "disable_tqdm": True}
    usual |= {"use_cpu": True, "dataloader_pin_memory": False}
    made = Trainer(model, TrainingArguments(str(folder), **usual | options), train_dataset=rows, eval_dataset=new)
    callback.apply(made).apply(made)
    made.train(resume_from_checkpoint=resume)
    return made


def watch_inputs(model: nn.Module) -> list[tuple[bool, dict[str, Any]]]:
    """What the model is given, and whether in training."""
    seen: list[tuple[bool, dict[str, Any]]] = []
    model.register_forward_pre_hook(lambda m, args, kwargs: seen.append((m.training, kwargs)), with_kwargs=True)
    return seen


def test_texts_with_every_pillar(tmp_path: Path) -> None:
    model = bert()
    seen = watch_inputs(model)
    made = trained(tmp_path, model, Gapless(MIXED, classes=2), sentences(), sentences(16), weight_decay=0.3)
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.3}
    assert sorted({group["weight_decay"] for group in made.optimizer.param_groups}) == [0, 0.05]
    decayed = {id(p) for g in made.optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    assert id(model.bert.embeddings.word_embeddings.weight) not in decayed
    assert id(model.classifier.weight) in decayed
    assert not any("labels" in given for training, given in seen if training), "the model is not given soft labels"
    logged = [entry for entry in made.state.log_history if "gapless/gap" in entry]
    assert [entry["epoch"] for entry in logged] == [1, 2]
    assert made.evaluate()["eval_loss"] == pytest.approx(logged[-1]["gapless/new_loss"], rel=1e-4)


def test_the_rates_that_were_used_are_saved(tmp_path: Path) -> None:
    made = trained(tmp_path, bert(), Gapless(MIXED, classes=2), sentences(16), num_train_epochs=1)
    made.save_model(str(tmp_path / "saved"))
    again = BertForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert {m.p for m in again.modules() if isinstance(m, nn.Dropout)} == {0.3}
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_only_entries_whose_modules_agree_are_written() -> None:
    model = bert()
    model.bert.encoder.layer[0].output.dropout.p = 0.4
    model.bert.encoder.layer[0].attention.self.dropout.p = 0.2
    with pytest.warns(UserWarning, match="hidden_dropout_prob stays 0.1"):
        assert write_rates(model) == ("attention_probs_dropout_prob",)
    assert model.config.attention_probs_dropout_prob == 0.2
    assert write_rates(bert()) == ()


def test_pictures_are_varied_in_training_alone(tmp_path: Path) -> None:
    model = vit()
    seen = watch_inputs(model)
    trained(tmp_path, model, Gapless(Recipe(augment=TURNED)), pictures(0, 16), pictures(1000, 16), num_train_epochs=1)
    clean = torch.cat([digits()[0][:16], digits()[0][1000:1016]])
    for training, given in seen:
        found = [bool((clean == row).flatten(1).all(1).any()) for row in given["pixel_values"]]
        assert not any(found) if training else all(found)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_resuming_is_as_if_nothing_had_happened(tmp_path: Path, accumulated: int) -> None:
    options: dict[str, Any] = {"gradient_accumulation_steps": accumulated, "save_strategy": "epoch"}
    through = trained(tmp_path, bert(), Gapless(MIXED, classes=2), sentences(), sentences(16), **options)
    half = tmp_path / f"checkpoint-{6 // accumulated}"
    assert Recipe.load(half / "recipe.toml") == MIXED
    torch.manual_seed(99)
    again = trained(
        tmp_path / "again", bert(), Gapless(MIXED, classes=2), sentences(), sentences(16), resume=half, **options
    )
    assert same(through.model, again.model)


def test_accumulated_batches_count_as_one() -> None:
    logits, targets = torch.randn(8, 3), torch.rand(8, 3).softmax(1)
    whole = soft_cross_entropy({"logits": logits}, targets)
    halves = [soft_cross_entropy((logits[i::2],), targets[i::2], torch.tensor(8)) for i in range(2)]
    assert torch.allclose(sum(halves), whole)
    assert torch.allclose(whole, functional.cross_entropy(logits, targets))


def test_watching_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = trained(tmp_path, bert(), Gapless(None, rows=0), sentences())
    watched = trained(tmp_path, bert(), Gapless.watch(), sentences(), sentences(16))
    assert same(plain.model, watched.model)
    assert "Switched on: dropout 0.1 in" in capsys.readouterr().out


def test_an_optimizer_of_ones_own(tmp_path: Path) -> None:
    model = bert()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    arguments = TrainingArguments(str(tmp_path), max_steps=2, report_to="none", use_cpu=True, disable_tqdm=True)
    made = Trainer(model, arguments, train_dataset=sentences(16), optimizers=(optimizer, schedule))
    Gapless(Recipe(decay=Decay(strength=0.05))).apply(made)
    made.train()
    assert [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [(0.025, 0.05), (0.025, 0)]


def test_words_are_changed_before_they_are_numbers() -> None:
    recipe = Recipe(augment=Augment(ops=(Op(op="typos", strength=0.3),)))
    rows = [{"text": "a rather long sentence about nothing in particular", "labels": 1}]
    data = Texts(rows, recipe, lambda text, truncation: {"input_ids": [ord(c) for c in text]})
    first = data[0]
    data.set_epoch(1)
    assert first["labels"] == 1 and "text" not in first
    assert first["input_ids"] != data[0]["input_ids"]
    data.set_epoch(0)
    assert first["input_ids"] == data[0]["input_ids"]
    with pytest.raises(UsageError, match="pictures"):
        Texts(rows, Recipe(augment=TURNED), lambda text: {})


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="label_smoothing_factor=0"):
        trained(tmp_path, bert(), Gapless(MIXED, classes=2), sentences(), label_smoothing_factor=0.1)
    with pytest.raises(UsageError, match="classes=10"):
        trained(tmp_path, bert(), Gapless(MIXED), sentences())
    typos = Recipe(augment=Augment(ops=(Op(op="typos", strength=0.3),)))
    with pytest.raises(UsageError, match="Texts"):
        trained(tmp_path, bert(), Gapless(typos), sentences())


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(monkeypatch, tmp_path, "in_transformers.py", 1)
    said = capsys.readouterr().out
    assert "dropout 0.2 in 8 places" in said and "augmentation mixup 0.2" in said
