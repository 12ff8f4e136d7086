"""From a chart's specification to SVG that can stand inside a page: only known elements, described in one sentence.

An element that is not known is an error here; sanitisers such as nh3 drop it in silence, and the chart with it.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup, escape

_ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "text", "circle"})
_FONT = {"font-family", "font-size", "font-style", "font-weight", "text-anchor"}
_STROKE = {
    f"stroke-{what}" for what in ("dasharray", "dashoffset", "linecap", "linejoin", "miterlimit", "opacity", "width")
}
_PLACE = {"d", "dx", "dy", "height", "r", "transform", "width", "x", "x1", "x2", "y", "y1", "y2"}
_ATTRIBUTES = _FONT | _STROKE | _PLACE | {"fill", "fill-opacity", "opacity", "stroke"}
_DROPPED = frozenset({"aria-hidden", "aria-roledescription", "class", "display", "pointer-events", "role"})


def draw(spec: dict[str, Any], describes: str) -> Markup:
    """The chart as inline SVG with `describes` as what a screen reader says.

    Raises ValueError where the renderer used an element or attribute that this file does not know: what goes into the
    page unescaped is checked, not trusted.
    """
    import vl_convert

    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(spec, vl_version="6.4", allowed_base_urls=[]))
    width, height = root.attrib["width"], root.attrib["height"]
    inner = "".join(_write(child) for child in root)
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">{}</svg>').format(
        describes, width, height, width, height, Markup(inner)
    )


def _write(element: ElementTree.Element) -> str:
    name = element.tag.rpartition("}")[2]
    if name not in _ELEMENTS:
        raise ValueError(f"the chart renderer used <{name}>, which the report does not know")
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items() if _kept(name, key))
    inner = "".join(_write(child) for child in element)
    text = escape(element.text or "")
    if _empty(name, element, inner):
        return ""
    return f"<{name}{attributes}>{text}{inner}</{name}>"


def _kept(name: str, key: str) -> bool:
    if key in _DROPPED:
        return False
    if key not in _ATTRIBUTES:
        raise ValueError(f"the chart renderer used the attribute {key!r} on <{name}>, which the report does not know")
    return True


def _empty(name: str, element: ElementTree.Element, inner: str) -> bool:
    """Groups without content, paths without a shape, and what is drawn in no colour."""
    if name == "g":
        return not inner
    unseen = element.get("fill") == "transparent" and element.get("stroke") is None
    return unseen or element.get("display") == "none" or (name == "path" and not element.get("d"))
