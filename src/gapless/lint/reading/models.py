"""Models as a script writes them down: classes, their layers, and what is certainly in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gapless.lint.reading.bindings import reaching
from gapless.lint.reading.program import Function, Program
from gapless.lint.reading.values import attributes, made_by, methods, text, trace

NN = "torch.nn."
DROPOUTS = frozenset(
    NN + name for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
)
BATCH_NORMS = frozenset(
    [NN + "SyncBatchNorm", *(f"{NN}{lazy}BatchNorm{n}d" for lazy in ("", "Lazy") for n in (1, 2, 3))]
)
NORMS = BATCH_NORMS | {
    NN + name for name in ("LayerNorm", "GroupNorm", "RMSNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
}
EMBEDDINGS = frozenset((NN + "Embedding", NN + "EmbeddingBag"))
_WITH_DROPOUT_INSIDE = frozenset(
    NN + name for name in ("TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer", "TransformerEncoder")
)
_MODULES = ("torch.nn.Module", "lightning.LightningModule", "lightning.core.LightningModule", "torch.nn.Sequential")

_BATCH_NORM_NAMES = re.compile(
    r"^(tv_|legacy_)?(wide_)?(resnet|resnext|resnest|seresnet|mobilenet|efficientnet|tf_efficientnet|mnasnet|densenet|"
    r"googlenet|inception|shufflenet|regnet|xception|vgg\d+_bn|ecaresnet|skresnet|hrnet|rexnet|dla\d)"
)
"""Families of torchvision and timm that normalise by batch statistics."""
_LAYER_NORM_NAMES = re.compile(r"^(vit|deit|swin|beit|convnext|mixer|maxvit|cait|coat|pvt|twins)")
_DROPOUT_NAMES = re.compile(r"^(alexnet|vgg|efficientnet|mobilenet|mnasnet|googlenet|inception|squeezenet)")
"""Families of torchvision that drop something by default."""
_DROPOUT_CHECKPOINTS = re.compile(
    r"(^|/)(distil)?(bert|roberta|gpt2|electra|deberta|albert|bart|t5|xlm-roberta)\b", re.I
)
"""Families of transformers whose default configuration drops 0.1."""


@dataclass(frozen=True)
class Holds:
    """What is certainly inside of a model; False means: not seen."""

    dropout: bool = False
    batchnorm: bool = False
    norm: bool = False
    embedding: bool = False

    def __or__(self, other: Holds) -> Holds:
        return Holds(
            self.dropout or other.dropout,
            self.batchnorm or other.batchnorm,
            self.norm or other.norm,
            self.embedding or other.embedding,
        )

    @property
    def modal(self) -> bool:
        """Whether it computes something else in training than in evaluation."""
        return self.dropout or self.batchnorm


def is_module(program: Program, owner: ast.ClassDef | None) -> bool:
    """Whether a class of the file is a torch module, directly or by a class of the file."""
    return owner is not None and _is_a(program, owner, _MODULES, set())


def is_lightning(program: Program, owner: ast.ClassDef | None) -> bool:
    """Whether a class of the file is a LightningModule."""
    return owner is not None and _is_a(program, owner, _MODULES[1:3], set())


def is_dataset(program: Program, owner: ast.ClassDef | None) -> bool:
    """Whether a class of the file is a torch Dataset."""
    if owner is None:
        return False
    names = ("Dataset", "IterableDataset", "VisionDataset", "ImageFolder", "TensorDataset")
    return _is_a(program, owner, names, set(), last=True) and "__getitem__" in methods(owner)


def _is_a(program: Program, owner: ast.ClassDef, names: tuple[str, ...], seen: set[str], last: bool = False) -> bool:
    for each in owner.bases:
        name = program.qualified(each)
        if (name.rpartition(".")[2] if last else name) in names:
            return True
        inner = program.classes.get(each.id) if isinstance(each, ast.Name) and each.id not in seen else None
        if inner is not None and _is_a(program, inner, names, {*seen, inner.name}, last):
            return True
    return False


def class_of(program: Program, model: ast.expr, depth: int = 0) -> ast.ClassDef | None:
    """The class of this file that a model was made from."""
    if isinstance(model, ast.Name) and model.id == "self":
        owner = program.owner(model)
        return owner if is_module(program, owner) else None
    made = made_by(program, model)
    if made is None:
        return None
    if isinstance(made.func, ast.Name) and made.func.id in program.classes and reaching(program, made.func) is not None:
        return program.classes[made.func.id]
    if isinstance(made.func, ast.Name) and (built := program.functions.get(made.func.id)) is not None:
        results = returned(built)
        return class_of(program, results[0], depth + 1) if len(results) == 1 and depth < 8 else None
    return None


def returned(function: Function) -> list[ast.expr]:
    """The expressions a function returns, not those of the functions inside of it."""
    found: list[ast.expr] = []
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            found.append(node.value)
        stack.extend(ast.iter_child_nodes(node))
    return found


def holds(program: Program, model: ast.expr) -> Holds:
    """What is certainly in the model that an expression stands for."""
    owner = class_of(program, model)
    if owner is not None:
        return class_holds(program, owner, ())
    made = made_by(program, model)
    if made is None:
        return Holds()
    if isinstance(made.func, ast.Name) and (built := program.functions.get(made.func.id)) is not None:
        return _inside(program, built, (built.name,))
    return _inside(program, made, ()) | _library(program, made)


def class_holds(program: Program, owner: ast.ClassDef, seen: tuple[str, ...]) -> Holds:
    """What a class of the file puts into itself, by the calls that are written in it."""
    found = _inside(program, owner, (*seen, owner.name))
    for each in owner.bases:
        if isinstance(each, ast.Name) and each.id in program.classes and each.id not in seen:
            found |= class_holds(program, program.classes[each.id], (*seen, owner.name))
    return found


def _inside(program: Program, node: ast.AST, seen: tuple[str, ...]) -> Holds:
    found = Holds()
    for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
        name = program.qualified(call.func)
        if name:
            found |= _layer(program, call, name) | _library(program, call)
        elif isinstance(call.func, ast.Name) and call.func.id in program.classes and call.func.id not in seen:
            found |= class_holds(program, program.classes[call.func.id], seen)
        elif isinstance(call.func, ast.Name) and call.func.id in program.functions and call.func.id not in seen:
            found |= _inside(program, program.functions[call.func.id], (*seen, call.func.id))
    return found


def _layer(program: Program, call: ast.Call, name: str) -> Holds:
    if name in DROPOUTS:
        return Holds(dropout=not _is_zero(program, call))
    if name in _WITH_DROPOUT_INSIDE:
        rate = next((k.value for k in call.keywords if k.arg == "dropout"), None)
        zero = isinstance(rate, ast.Constant) and not rate.value
        return Holds(dropout=not zero and name != NN + "TransformerEncoder", norm=True)
    return Holds(batchnorm=name in BATCH_NORMS, norm=name in NORMS, embedding=name in EMBEDDINGS)


def _is_zero(program: Program, call: ast.Call) -> bool:
    rate = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "p"), None)
    if rate is None:
        return False
    rate = trace(program, rate)
    return isinstance(rate, ast.Constant) and rate.value in (0, 0.0)


def _library(program: Program, made: ast.Call) -> Holds:
    """Of torchvision, timm and transformers: by the family, where every member is built alike."""
    name = program.qualified(made.func)
    if name.startswith("torchvision.models."):
        family = name.rpartition(".")[2]
    elif name in ("timm.create_model", "timm.models.create_model", "torchvision.models.get_model"):
        family = text(program, made.args[0]) or "" if made.args else ""
    elif name.startswith("transformers.") and name.endswith(".from_pretrained"):
        checkpoint = text(program, made.args[0]) or "" if made.args else ""
        known = _DROPOUT_CHECKPOINTS.search(checkpoint) is not None
        return Holds(dropout=known, norm=known, embedding=known)
    else:
        return Holds()
    drops = name.startswith("torchvision.") and _DROPOUT_NAMES.match(family) is not None
    batch = _BATCH_NORM_NAMES.match(family) is not None
    return Holds(drops, batch, batch or _LAYER_NORM_NAMES.match(family) is not None)


def sequential(program: Program, call: ast.Call) -> list[ast.expr] | None:
    """The layers of nn.Sequential in order, those of Sequentials inside of it included; None where not all are seen."""
    given = call.args
    if len(given) == 1 and program.qualified(getattr(given[0], "func", given[0])) == "collections.OrderedDict":
        return _ordered(given[0])
    layers: list[ast.expr] = []
    for each in given:
        if isinstance(each, ast.Starred):
            return None
        found = trace(program, each)
        if isinstance(found, ast.Call) and program.qualified(found.func) == NN + "Sequential":
            inner = sequential(program, found)
            if inner is None:
                return None
            layers.extend(inner)
        else:
            layers.append(found)
    return layers


def _ordered(node: ast.expr) -> list[ast.expr] | None:
    if not isinstance(node, ast.Call) or len(node.args) != 1 or not isinstance(node.args[0], ast.List | ast.Tuple):
        return None
    pairs = node.args[0].elts
    return [pair.elts[1] for pair in pairs if isinstance(pair, ast.Tuple) and len(pair.elts) == 2] or None


def module_classes(program: Program) -> Iterator[ast.ClassDef]:
    """The classes of the file that are torch modules."""
    for owner in program.all(ast.ClassDef):
        if is_module(program, owner):
            yield owner


def layers_of(program: Program, owner: ast.ClassDef) -> dict[str, str]:
    """self.name -> full name of the layer it certainly is."""
    found: dict[str, str] = {}
    for name, values in attributes(program, owner).items():
        if len(values) == 1 and isinstance(values[0], ast.Call) and (full := program.qualified(values[0].func)):
            found[name] = full
    return found
