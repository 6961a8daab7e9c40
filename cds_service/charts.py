"""SVG charts of the pages and of the audit report: columns by period, a Pareto chart, and bars for table rows.

A chart holds numbers, names and CSS classes only. Colors and fonts come from the page's style sheet, so that a strict
content security policy (no inline style, no script) lets it through. Lengths are in units of the view box.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, log10
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

WIDTH, HEIGHT = 640.0, 260.0
TOP, BOTTOM = 14.0, 30.0
LABELS = 7  # as many period labels fit on a phone

# Width of a character of an axis label, at the larger font that phones get.
CHARACTER = 11.0


@dataclass(frozen=True, slots=True)
class Columns:
    """Counts by period, stacked by series: `counts[series][period]`. `rates` are drawn as a line with its own axis."""

    periods: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    rates: Sequence[float] = ()
    rate_unit: str = ""


@dataclass(frozen=True, slots=True)
class Notation:
    """Writes a number, and a share of 0 to 1, as the language of a page does; in English by default."""

    number: Callable[[int | Decimal], str] = "{:,}".format
    percent: Callable[[float], str] = "{:.0%}".format


def columns(data: Columns, label: str, notation: Notation = Notation()) -> Markup:
    """A stacked column chart. `label` is its text for screen readers."""
    top = _axis_end(max((sum(stack) for stack in _stacks(data)), default=0))
    rate_top = _axis_end(max(data.rates, default=0))
    plot = _Plot(len(data.periods), top, rate_top, has_rates=bool(data.rates))
    chart = _svg(WIDTH, HEIGHT, label, "chart columns-chart")
    _add_grid(chart, plot, notation)
    bars = SubElement(chart, "g", {"class": "bars"})
    for position, (period, stack) in enumerate(zip(data.periods, _stacks(data), strict=True)):
        _add_column(bars, plot, position, period, _in_words(data, stack, notation))
    _add_rates(chart, plot, data, notation)
    _add_periods(chart, plot, data.periods)
    return _markup(chart)


def pareto(
    counts: Sequence[tuple[str, int]], label: str, others: str, most: int = 12, notation: Notation = Notation()
) -> Markup:
    """Horizontal bars, in the given order, with the cumulative share as a line; rows after `most` become `others`."""
    rows = list(counts[:most])
    if len(counts) > most:
        rows.append((others, sum(number for _, number in counts[most:])))
    total = sum(number for _, number in rows) or 1
    left, right, step = 210.0, 110.0, 24.0
    inner = WIDTH - left - right
    scale = inner / max((number for _, number in rows), default=1)
    chart = _svg(WIDTH, TOP + step * len(rows) + 4, label)
    bars = SubElement(chart, "g", {"class": "bars"})
    points, running = [(left, TOP)], 0
    for position, (name, number) in enumerate(rows):
        y, running = TOP + position * step, running + number
        _add_bar(bars, (left, y, max(number * scale, 1.0), step - 7), 0, f"{name}: {notation.number(number)}")
        _add_text(chart, left - 8, y + 13, name, "name end")
        share = notation.percent(running / total)
        _add_text(chart, WIDTH, y + 13, f"{notation.number(number)} · {share}", "end")
        points.append((left + running / total * inner, y + step - 7))
    _add_line(chart, points)
    return _markup(chart)


def row_bar(parts: Sequence[int], longest: int) -> Markup:
    """The bar of a table row, decorative: its parts in the order of the series, scaled to the longest row."""
    drawing = Element("svg", {"class": "row-bar", "viewBox": "0 0 100 10", "preserveAspectRatio": "none"})
    drawing.set("aria-hidden", "true")
    start = 0.0
    for series, count in enumerate(parts):
        width = 100 * count / (longest or 1)
        _add_bar(drawing, (start, 0, width, 10), series)
        start += width
    return _markup(drawing)


# --- columns --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plot:
    """The area between the axes."""

    periods: int
    top: float
    rate_top: float
    has_rates: bool

    @property
    def left(self) -> float:
        """Room for the counts on the left axis."""
        return 8 + CHARACTER * len(f"{self.top:,.0f}")

    @property
    def right(self) -> float:
        """Right end of the plot; room for the rates' axis if there is one."""
        return WIDTH - (8 + CHARACTER * len(f"{self.rate_top:,.0f}") if self.has_rates else 24)

    @property
    def step(self) -> float:
        """Width of a period."""
        return (self.right - self.left) / max(self.periods, 1)

    def height(self, share: float) -> float:
        """Height of a share of the axis (0 to 1)."""
        return share * (HEIGHT - TOP - BOTTOM)


def _stacks(data: Columns) -> Iterator[tuple[int, ...]]:
    return zip(*data.counts.values(), strict=True)


def _add_grid(chart: Element, plot: _Plot, notation: Notation) -> None:
    for part in (0, 0.5, 1):
        y = HEIGHT - BOTTOM - plot.height(part)
        ends = {"x1": _number(plot.left), "x2": _number(plot.right), "y1": _number(y), "y2": _number(y)}
        SubElement(chart, "line", {"class": "grid-line", **ends})
        if (plot.top * part).is_integer():  # there is no half of a card
            _add_text(chart, plot.left - 6, y + 4, notation.number(int(plot.top * part)), "end")
        if plot.has_rates:
            _add_text(chart, plot.right + 6, y + 4, notation.number(Decimal(f"{plot.rate_top * part:g}")), "start")


def _in_words(data: Columns, stack: Sequence[int], notation: Notation) -> Iterator[tuple[int, str]]:
    """The counts of a stack, each with the series' name and the number as the language writes it."""
    yield from ((count, f"{name}: {notation.number(count)}") for name, count in zip(data.counts, stack, strict=True))


def _add_column(bars: Element, plot: _Plot, position: int, period: str, stack: Iterable[tuple[int, str]]) -> None:
    x, y = plot.left + (position + 0.15) * plot.step, HEIGHT - BOTTOM
    for series, (count, words) in enumerate(stack):
        height = plot.height(count / plot.top)
        y -= height
        if count:
            _add_bar(bars, (x, y, plot.step * 0.7, height), series, f"{period}, {words}")


def _add_rates(chart: Element, plot: _Plot, data: Columns, notation: Notation) -> None:
    points = [
        (plot.left + (position + 0.5) * plot.step, HEIGHT - BOTTOM - plot.height(rate / plot.rate_top))
        for position, rate in enumerate(data.rates)
    ]
    if points:
        _add_line(chart, points)
    for (x, y), rate in zip(points, data.rates, strict=True):
        dot = SubElement(chart, "circle", {"class": "dot", "cx": _number(x), "cy": _number(y), "r": "3"})
        SubElement(dot, "title").text = f"{notation.number(Decimal(f'{rate:.1f}'))} {data.rate_unit}".strip()


def _add_periods(chart: Element, plot: _Plot, periods: Sequence[str]) -> None:
    every = ceil(len(periods) / LABELS)
    for position, period in enumerate(periods):
        if position % every == 0:
            _add_text(chart, plot.left + (position + 0.5) * plot.step, HEIGHT - 8, period, "middle")


def _axis_end(highest: float) -> float:
    """The next round number at or above the highest value."""
    size = 10 ** int(log10(highest)) if highest >= 1 else 1
    return next(float(size * factor) for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * factor >= highest)


# --- SVG elements ---------------------------------------------------------------------------------------------------


def _svg(width: float, height: float, label: str, kind: str = "chart") -> Element:
    view = f"0 0 {_number(width)} {_number(height)}"
    return Element("svg", {"class": kind, "viewBox": view, "role": "img", "aria-label": label})


def _add_bar(parent: Element, box: tuple[float, float, float, float], series: int, title: str = "") -> None:
    lengths = dict(zip(("x", "y", "width", "height"), map(_number, box), strict=True))
    bar = SubElement(parent, "rect", {"class": f"series-{series}", **lengths})
    if title:
        SubElement(bar, "title").text = title


def _add_text(chart: Element, x: float, y: float, text: str, kind: str) -> None:
    SubElement(chart, "text", {"class": kind, "x": _number(x), "y": _number(y)}).text = text


def _add_line(chart: Element, points: Sequence[tuple[float, float]]) -> None:
    written = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    SubElement(chart, "polyline", {"class": "line", "points": written})


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _markup(drawing: Element) -> Markup:
    return Markup(tostring(drawing, encoding="unicode"))  # noqa: S704  # ElementTree escapes every text
