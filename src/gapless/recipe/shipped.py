"""The recipes that come with gapless, as TOML files: presets/<kind>/<name>.toml."""

from functools import cache
from importlib.resources import files

from gapless.errors import UsageError, did_you_mean
from gapless.recipe.recipe import Recipe


@cache
def presets(kind: str) -> dict[str, Recipe]:
    """The presets for a kind of data (`image`, `table`, `text`) by name, in the order in which a search tries them.

    Raises:
        UsageError: there is no such kind.
    """
    home = files("gapless.recipe") / "presets"
    kinds = [f.name for f in home.iterdir() if f.is_dir()]
    if kind not in kinds:
        raise UsageError(f"there are no presets for {kind!r}.{did_you_mean(kind, kinds)}")
    folder = home / kind
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {
        f.name.removesuffix(".toml").partition("-")[2]: Recipe.from_toml(f.read_text(encoding="utf-8"), f.name)
        for f in found
    }


def preset(kind: str, name: str) -> Recipe:
    """One preset by name.

    Raises:
        UsageError: there is no such preset.
    """
    known = presets(kind)
    if name not in known:
        raise UsageError(f"there is no preset {name!r} for {kind}s.{did_you_mean(name, known)}")
    return known[name]
