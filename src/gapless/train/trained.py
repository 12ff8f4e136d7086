"""A trained model that answers rows as they come, and its files: weights as safetensors, all else as JSON; no pickle.

A network of the user's own is built by the user's function, which is code: it runs only when who loads the model names
it, never because a file does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gapless.data.inputs.asked import Inputs
from gapless.data.inputs.kept import inputs_from
from gapless.data.task import Rows
from gapless.errors import DataError, GaplessError
from gapless.files import write_atomically
from gapless.functions import find
from gapless.models.choose import BUILTIN, Builtin, builtin
from gapless.recipe import Recipe
from gapless.train.batches import Scale
from gapless.train.loop import feed_of
from gapless.train.predictions import HeldOut, Predictions
from gapless.train.scores import answers
from gapless.train.texts import Remembers

if TYPE_CHECKING:
    from torch import Tensor, nn

FOLDER, WEIGHTS, FACTS = "model", "model.safetensors", "model.json"
_SCHEMA = 1
_ALIKE = 1e-4
"""How far answers of the model that was read back may lie from those of the trained one."""


@dataclass(frozen=True)
class Facts:
    """What model.json holds.

    network: how it is built: a built-in name with its sizes, or the user's function. learned: of a model for texts.
    weights: the digest of the file of weights.
    """

    classes: tuple[str, ...]
    network: dict[str, Any]
    recipe: dict[str, Any]
    scale: Scale
    held_out: HeldOut
    inputs: dict[str, Any]
    about: dict[str, Any]
    learned: Any
    weights: str
    gapless: str
    schema: int = _SCHEMA


_FACTS = TypeAdapter(Facts)


@dataclass(frozen=True)
class TrainedModel:
    """A network that was trained, with all that is needed to ask it.

        model = gapless.load_model("gapless-runs/customers-1")
        model.predict("new-customers.csv")          # names of classes, or numbers in the target's unit
        model.probabilities("new-customers.csv")    # (rows, classes), calibrated
        model.module                                # the torch module, in eval mode

    module: in eval mode, with the recipe's dropout (which does nothing there) and batch norm on it.
    build: what built the module, for a file to say. held_out: what to expect of it. about: of the run and the
    training, for people.
    """

    module: nn.Module
    recipe: Recipe
    classes: tuple[str, ...]
    scale: Scale
    inputs: Inputs
    held_out: HeldOut
    build: Callable[[], nn.Module]
    about: dict[str, Any] = field(default_factory=dict[str, Any])
    probe: NDArray[np.generic] | None = field(default=None, repr=False)
    """A few rows it was trained on: saving it checks that what was written answers them alike."""

    def predictions(self, data: Any) -> Predictions:
        """Answers with all that belongs to them.

        Args:
            data: a path, or what Python holds: a frame, arrays, tensors, texts, pictures; like the data of the
                training, with or without its target. Columns are found by their names.

        Raises:
            DataError: it is not such data, or a column is missing that the model reads.
        """
        asked = self.inputs.read(data)
        if not len(asked.names):
            raise DataError("there are no rows to answer")
        outputs = self.outputs(asked.x).double()
        if not torch.isfinite(outputs).all():
            raise DataError("the model gives NaN or infinite values on these rows; look for values far from the usual")
        if self.classes:
            probabilities = (outputs / self.held_out.temperature).softmax(1).numpy()
            said = np.array(self.classes, dtype=object)[probabilities.argmax(1)]
            return Predictions(said, probabilities, self.classes, asked, self.inputs.target)
        mean, sd = self.scale.target
        values = outputs[:, 0].numpy() * sd + mean
        return Predictions(values, None, (), asked, self.inputs.target, self.held_out.within)

    def predict(self, data: Any) -> NDArray[Any]:
        """(N,) names of classes, or numbers in the target's unit. See `predictions`."""
        return self.predictions(data).answers

    def probabilities(self, data: Any) -> NDArray[np.float64]:
        """(N, classes), in the order of `classes`; DataError for a regression, which has none. See `predictions`."""
        found = self.predictions(data).probabilities
        if found is None:
            raise DataError("a regression has no probabilities; predictions() tells how far off its answers are")
        return found

    def outputs(self, x: NDArray[np.generic]) -> Tensor:
        """(N, outputs) float32 on the CPU: what the network itself says of rows as a Task holds them."""
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        y = np.zeros(len(x), dtype=np.int64 if self.classes else np.float32)
        feed = feed_of(Rows(x, y), self.scale, len(self.classes), device)
        return answers(self.module, feed, torch.arange(len(x))).cpu()

    def save(self, folder: str | Path) -> None:
        """Writes model.safetensors and model.json, and checks that the model read back from them answers as this one.

        Raises:
            DataError: the disk is full, or the model cannot be rebuilt from what a file can hold.
        """
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in self.module.state_dict().items()}
        weights = save_tensors(tensors)
        facts = Facts(
            classes=self.classes,
            network=_network(self.build, str(self.about.get("model", ""))),
            recipe=self.recipe.to_dict(),
            scale=self.scale,
            held_out=self.held_out,
            inputs=self.inputs.facts(),
            about=self.about,
            learned=self.module.learned() if isinstance(self.module, Remembers) else None,
            weights=_digest(weights),
            gapless=version("gapless"),
        )
        text = json.dumps(_FACTS.dump_python(facts, mode="json"), indent=1, ensure_ascii=False) + "\n"
        write_atomically(Path(folder) / WEIGHTS, weights)
        write_atomically(Path(folder) / FACTS, text.encode("utf-8", "surrogatepass"))
        _require_alike(self, load_model(folder, self.build))

    def __repr__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else "a regression"
        return f"TrainedModel({self.about.get('model', type(self.module).__name__)}, {what})"


def _require_alike(model: TrainedModel, back: TrainedModel) -> None:
    if model.probe is None:
        return
    first, second = model.outputs(model.probe), back.outputs(model.probe)
    if first.shape != second.shape or not torch.allclose(first, second, rtol=_ALIKE, atol=_ALIKE):
        name = type(model.module).__name__
        raise DataError(
            f"the model cannot be saved: {name} read back from its parameters and buffers answers otherwise than the "
            "trained one. What it takes from texts, or keeps elsewhere, must be in a buffer, or come and go by two "
            "methods: learned() returns it as JSON has it, remember(learned) takes it"
        )


def load_model(folder: str | Path, model: str | Callable[[], nn.Module] | None = None) -> TrainedModel:
    """A trained model from the folder of a run, or from the folder `model` in it.

    Args:
        model: the function that builds the network, or its `module:function`, where it is no built-in one. It is code,
            and runs only when it is named here.

    Raises:
        DataError: there is no model, its files are damaged or do not belong together, or the function builds another
            network.
    """
    place = _place(Path(folder).expanduser())
    facts = _facts(place / FACTS)
    try:
        weights = (place / WEIGHTS).read_bytes()
        tensors = load_tensors(weights)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{place / WEIGHTS}: cannot be read ({error}); save the model again") from error
    if _digest(weights) != facts.weights:
        raise DataError(f"{place / WEIGHTS}: is damaged, or of another model than {FACTS}; save the model again")
    try:
        build = _builder(facts.network, model)
        module = _module(facts, build, tensors)
        inputs = inputs_from(facts.inputs)
        recipe = Recipe.from_dict(facts.recipe)
    except GaplessError as error:
        raise DataError(f"{place}: {error}") from error
    return TrainedModel(module, recipe, facts.classes, facts.scale, inputs, facts.held_out, build, facts.about)


def _place(folder: Path) -> Path:
    for place in (folder / FOLDER, folder):
        if (place / FACTS).is_file():
            return place
    how = (
        "gapless fit RUN trains it without a new search"
        if (folder / "journal.jsonl").exists()
        else "name a run's folder"
    )
    raise DataError(f"{folder}: holds no trained model ({FOLDER}/{FACTS}); {how}")


def _facts(path: Path) -> Facts:
    try:
        document = json.loads(path.read_text("utf-8", "surrogatepass"))
        if isinstance(document, dict) and cast(dict[str, Any], document).get("schema") != _SCHEMA:
            raise DataError(f"{path}: is of another version of gapless; save the model again")
        return _FACTS.validate_python(document)
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        if isinstance(error, DataError):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: is damaged ({said}); save the model again") from error


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _network(build: Callable[[], nn.Module], called: str) -> dict[str, Any]:
    """How to build the network again, as plain values."""
    if isinstance(build, Builtin):
        return {"builtin": build.name, **build.facts()}
    module, name = getattr(build, "__module__", ""), getattr(build, "__qualname__", type(build).__name__)
    return {"function": called if ":" in called else f"{module}:{name}"}


def _builder(network: Mapping[str, Any], given: str | Callable[[], nn.Module] | None) -> Callable[[], nn.Module]:
    if isinstance(given, str) and ":" in given:
        return cast("Callable[[], nn.Module]", find(given, "a torch.nn.Module"))
    if given is not None and not isinstance(given, str):
        return given
    name = network.get("builtin")
    if name is None:
        function = network.get("function")
        raise DataError(
            f"its network is built by {function}, which is code and does not run unless it is named: "
            f"--model {function}, or load_model(..., model=...) in Python"
        )
    if given is not None and given != name:
        known = ", ".join(BUILTIN)
        raise DataError(f"its network is {name!r}, not {given!r}; leave the model out (built-in ones: {known})")
    return builtin(name, network)


def _require_sizes(build: Builtin, tensors: Mapping[str, torch.Tensor]) -> None:
    """A DataError before memory is taken for a network that the weights are not of."""
    try:
        with torch.device("meta"):
            wanted = sum(p.numel() for p in build().parameters())
    except (RuntimeError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"what is said of its network is damaged ({error})") from error
    there = sum(tensor.numel() for tensor in tensors.values())
    if wanted > there:
        raise DataError(f"its network has {wanted:,} parameters and its weights {there:,} numbers: they are not of one")


def _module(facts: Facts, build: Callable[[], nn.Module], tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    if isinstance(build, Builtin):
        _require_sizes(build, tensors)
    with torch.random.fork_rng([]):
        module = build()
    if isinstance(module, Remembers) and facts.learned is not None:
        try:
            module.remember(facts.learned)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"what the model learned from texts is damaged ({error!r}); save it again") from error
    Recipe.from_dict(facts.recipe).attach(module)
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise DataError(f"the network is another one than was trained: {first}") from error
    return module.eval()
