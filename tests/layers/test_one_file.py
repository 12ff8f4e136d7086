"""Adding is one file and its public name: in which source files is a member of each family mentioned by name?

A mention is the name in quotes, its import from where it is defined, or the definition; what docstrings say does not
count. `own` is the file that defines the member. Where there are more today, the reason stands beside the file; an
entry that no member needs any more fails, so these lists only shrink.
"""

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from source_tree import SOURCE, imported, modules, name_of, parsed

import gapless
from gapless import decay, dropout
from gapless.augment.image import ops as image
from gapless.augment.image.algebra import Element
from gapless.augment.text import ops as text
from gapless.metrics import METRICS
from gapless.run.engines import local, ray
from gapless.search.space import KNOBS

Places = dict[str, set[str]]
"""A name and the files, from the package's folder, that mention it."""

ABOVE = ("recipe", "data", "models", "train", "run", "evidence", "search", "diagnose", "policies")
ABOVE += ("report", "cli", "api.py")
"""Everything that could name a member of a pillar: no pillar imports another, and lint reads the programs of others."""


def mentions(path: Path, names: Iterable[str], homes: Iterable[str] = ()) -> set[str]:
    """Which of the names a file mentions; `homes` are the files that define some of them."""
    tree = parsed(path)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documents]
    found: set[str] = {node.value for node in constants if isinstance(node.value, str)}
    stems = {Path(home).stem for home in homes}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] in stems:
            found |= {alias.name for alias in node.names}
    if any(path.as_posix().endswith(home) for home in homes):
        found |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return found & set(names)


def places(names: Iterable[str], folders: Iterable[str], homes: Iterable[str] = ()) -> Places:
    """Where each name is mentioned, in these folders and files of the package."""
    found: Places = {name: set() for name in names}
    homes = set(homes)
    for folder in map(SOURCE.joinpath, folders):
        assert folder.exists(), folder
        for path in [folder] if folder.is_file() else modules(folder):
            for name in mentions(path, found, homes):
                found[name].add(path.relative_to(SOURCE).as_posix())
    return found


def home(thing: Callable[..., object]) -> str:
    """The file that defines a class or a function, from the package's folder, wherever that is installed."""
    return Path(inspect.getfile(thing)).relative_to(Path(gapless.__file__).parent).as_posix()


def only_there(found: Places, own: Mapping[str, str], further: Mapping[str, str]) -> None:
    """Every name stands in its own file and, beside it, in no others than `further` gives a reason for."""
    for name, files in found.items():
        assert own[name] in files, f"{name} is not where it should be"
        assert files - {own[name]} <= set(further), f"{name} is mentioned in more than one file"
    used = {file for name, files in found.items() for file in files - {own[name]}}
    assert set(further) - used == set(), "mended: take the entry out"


def test_an_image_operation() -> None:
    """Declared in the file of its kind. Kinds of the algebra (`erase`) may share a name with an operation."""
    own = {name: home(op.function) for name, op in image.OPS.items()}
    kinds = {kind.__name__.lower() for kind in Element.__subclasses__()}
    found = places(
        set(own) - kinds,
        ("augment/image", "augment/policies", "augment/mix.py", "augment/policy_file.py", *ABOVE),
        own.values(),
    )
    only_there(found, own, {})


def test_a_text_operation() -> None:
    own = {name: home(op.function) for name, op in text.OPS.items()}
    found = places(own, ("augment/text", "augment/policy_file.py", *ABOVE), own.values())
    made_ahead = "those that pick from paraphrases are named where paraphrases are made or asked for"
    further = {
        "augment/text/resources.py": made_ahead,
        "report/handover/program.py": made_ahead,
        "report/collect.py": made_ahead,
        "cli/augment.py": made_ahead,
        "search/space.py": "batch norm's part of a recipe has a field of that name, insert",
    }
    only_there(found, own, further)


def test_a_dropout() -> None:
    """Its class, and its name in the package's list."""
    own = {member.__name__: home(member) for member in dropout.FAMILY}
    found = places(own, ("dropout", *ABOVE), own.values())
    assert all("dropout/__init__.py" in files for files in found.values())
    further = {
        "dropout/attach.py": "it puts these into models, and knows those that a model has of its own",
        "dropout/dropped.py": "it stands in the model for one of them",
        "dropout/places.py": "it tells the rate of those whose rate is not that of a noise layer",
    }
    # a recipe has a part that is called Dropout: those files are not asked about that name
    parts = {file for file in found["Dropout"] if not file.startswith("dropout/")}
    found["Dropout"] -= parts
    only_there({name: files - {"dropout/__init__.py"} for name, files in found.items()}, own, further)


def test_a_decay_rule() -> None:
    """A rule stands in a table of rules."""
    names = {rule.name for rules in decay.RULE_SETS.values() for rule in rules}
    only_there(places(names, ("decay",)), dict.fromkeys(names, "decay/rules.py"), {})


def test_a_strength_of_the_search() -> None:
    """A strength by the name that people read. Those of operations stand beside the operation."""
    shown = {op.prior.knob for op in (*image.OPS.values(), *text.OPS.values()) if op.prior is not None}
    names = {knob.name for each in KNOBS.values() for knob in each} - shown
    assert {"mixup", "channel dropout"} <= names
    found = places(names, ("search", "train"))
    further = {
        "search/supported.py": "whether a model can take it is asked there, by its name",
        "train/loop.py": "names a pillar that is called like its strength",
    }
    only_there(found, dict.fromkeys(names, "search/space.py"), further)


def test_a_data_source() -> None:
    """A reader is a file; what sorts sources by their kind is the one other that imports it."""
    readers = {name_of(path) for path in (SOURCE / "data" / "readers").glob("[!_]*.py")}
    users: Places = {reader: set() for reader in readers}
    for path in modules():
        for _, module, name in imported(path):
            for reader in readers & {module, f"{module}.{name}"}:
                users[reader].add(name_of(path))
    further = {
        "gapless.data.images": "it decodes what `folders` lists",
        "gapless.data.loader.sources": "it reads the class folders that `folders` lists, while a loader runs",
        "gapless.data.tables.table": "a table whose only column holds sentences becomes texts",
        "gapless.data.door": "it takes what Python holds",
        "gapless.data.inputs.tables": "it reads rows to predict from the files that `records` reads",
        "gapless.data.inputs.texts": "it reads texts to predict from the files that `encodings` decodes",
    }
    found = {user for each in users.values() for user in each if user not in readers}
    assert found - {"gapless.data.source"} == set(further)


def test_a_metric() -> None:
    own = dict.fromkeys(METRICS, "metrics.py")
    only_there(places(own, ("metrics.py", *ABOVE)), own, {})


def test_an_engine() -> None:
    """An engine is a class in a file of run/engines, chosen by the `Place` beside it."""
    engines = (("Inline", local.Inline), ("Processes", local.Processes), ("RayTasks", ray.RayTasks))
    own = {name: home(engine) for name, engine in engines}
    only_there(places(own, ABOVE, own.values()), own, {"run/engines/place.py": "says which engine is opened"})


# ── the counting sees what it is to see ──


def test_every_kind_of_mention_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text(
        '"""rotate"""\nfrom gapless.x.geometry import scale\nfound = ["erase", "rotates"]\ndef hue(): ...\n'
    )
    names = {"rotate", "scale", "erase", "hue"}
    assert mentions(path, names, ["x/geometry.py"]) == {"scale", "erase"}
    assert mentions(path, names, ["other.py"]) == {"erase", "hue"}


def test_more_files_and_stale_reasons_fail() -> None:
    only_there({"a": {"one.py", "two.py"}}, {"a": "one.py"}, {"two.py": "why"})
    for found, further in (({"two.py"}, {}), ({"one.py", "two.py"}, {}), ({"one.py"}, {"two.py": "why"})):
        with pytest.raises(AssertionError):
            only_there({"a": found}, {"a": "one.py"}, further)
