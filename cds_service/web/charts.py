"""Bars over time and over steps, as SVG that pygal makes; what it would style or run by itself is left out.

The page's own style sheet colours them, light and dark, and its content security policy lets nothing else through.
"""

import sys
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

import pygal
from markupsafe import Markup
from pygal.style import Style

# pygal finds its plugins by an import hook of a kind that Python has given up, and warns of at every import: it goes.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

_EXTRAS = frozenset({"style", "script", "defs", "title", "desc"})


# Room for the labels as they are on a phone, where the style sheet makes them larger, in units of the drawing.
_ROOM = Style(label_font_size=19, major_label_font_size=19)


def stacked(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]], about: str) -> Markup:
    """Bars on one another, a colour for each series. `about` is what is read to those who do not see it."""
    chart = pygal.StackedBar(
        width=640,
        height=240,
        explicit_size=False,
        show_legend=False,
        include_x_axis=True,
        margin=4,
        spacing=4,
        max_scale=5,
        order_min=0,
        truncate_label=-1,
        x_labels_major_count=min(len(labels), 7),
        show_minor_x_labels=False,
        value_formatter=lambda value: f"{value:.0f}",
        style=_ROOM,
    )
    chart.x_labels = list(labels)
    for name, values in series:
        chart.add(name, list(values))
    return _plain(chart.render_tree(), about)


def _plain(tree: Element, about: str) -> Markup:
    """The drawing alone: no style, no script, no comment, no place for tooltips, none of its own description."""
    for parent in list(tree.iter()):
        for child in list(parent):
            if _is_extra(child):
                parent.remove(child)
    tree.attrib.pop("id", None)
    tree.set("class", "plot")
    tree.set("role", "img")
    tree.set("aria-label", about)
    return Markup(tostring(tree, encoding="unicode"))  # noqa: S704  # an SVG tree of numbers and of our own words


def _is_extra(node: Element) -> bool:
    is_comment = callable(node.tag)
    name = str(node.tag).rpartition("}")[2]
    return is_comment or name in _EXTRAS or "tooltip" in node.get("class", "").split()
