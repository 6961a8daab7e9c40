"""Geometry of the report's charts, in the units of an SVG view box; the template only draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log10

WIDTH, HEIGHT = 640.0, 300.0
LEFT, BOTTOM, TOP, RIGHT = 44.0, 26.0, 14.0, 44.0
OTHERS = "all other rules"


@dataclass(frozen=True, slots=True)
class Box:
    """A bar or a part of one. `series` chooses its colour, `says` is its text for a reader who points at it."""

    x: float
    y: float
    width: float
    height: float
    series: int
    says: str


@dataclass(frozen=True, slots=True)
class Label:
    """A word at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, a line over them, labels under and beside them, and lines across at the ticks."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    line: str = ""
    dots: tuple[Label, ...] = ()
    labels: tuple[Label, ...] = ()
    ticks: tuple[Label, ...] = ()
    series: tuple[str, ...] = ()


def pareto(rows: Sequence[Mapping[str, object]], most: int = 12) -> Chart:
    """Findings by rule, the most first, as bars; the line adds up how much of all they are."""
    counts = [(str(row["name"]), int(str(row["findings"]))) for row in rows]
    shown = counts[:most]
    if len(counts) > most:
        shown.append((OTHERS, sum(number for _, number in counts[most:])))
    total = sum(number for _, number in counts) or 1
    step = 24.0
    left, right = 210.0, 110.0
    scale = (WIDTH - left - right) / max((number for _, number in shown), default=1)
    boxes, labels, dots, added = list[Box](), list[Label](), list[Label](), 0
    points = [f"{left},{TOP}"]
    for position, (name, number) in enumerate(shown):
        y = TOP + position * step
        added += number
        boxes.append(Box(left, y, max(number * scale, 1.0), step - 7, 0, f"{name}: {number}"))
        labels.append(Label(left - 8, y + 13, name))
        dots.append(Label(WIDTH, y + 13, f"{number:,} · {added / total:.0%}"))
        points.append(f"{left + added / total * (WIDTH - left - right):.1f},{y + step - 7:.1f}")
    height = TOP + step * len(shown) + 4
    return Chart(WIDTH, height, tuple(boxes), " ".join(points), tuple(dots), tuple(labels))


def trend(months: Sequence[Mapping[str, object]], series: Mapping[str, Sequence[str]]) -> Chart:
    """Findings by month, stacked by series of rules, and as a line how many that are of 100 cases."""
    names = (*series, OTHERS)
    stacks = [_stack(month, series) for month in months]
    top = _round_up(max((sum(stack) for stack in stacks), default=1) or 1)
    rates = [_rate(month, stack) for month, stack in zip(months, stacks, strict=True)]
    highest = _round_up(max(rates, default=1) or 1)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = inner_width / max(len(months), 1)
    boxes, labels, points = [], [], []
    for position, (month, stack, rate) in enumerate(zip(months, stacks, rates, strict=True)):
        x, y = LEFT + position * step, HEIGHT - BOTTOM
        for number, (name, count) in enumerate(zip(names, stack, strict=True)):
            height = count / top * inner_height
            y -= height
            if count:
                boxes.append(Box(x + step * 0.15, y, step * 0.7, height, number, f"{month['month']}, {name}: {count}"))
        if len(months) <= 14 or position % ceil(len(months) / 12) == 0:
            labels.append(Label(x + step / 2, HEIGHT - 9, _short(str(month["month"]))))
        points.append(Label(x + step / 2, HEIGHT - BOTTOM - rate / highest * inner_height, f"{rate:.1f} of 100"))
    ticks = [
        Label(LEFT - 6, HEIGHT - BOTTOM - part * inner_height, f"{top * part:,.0f}|{highest * part:,.0f}")
        for part in (0, 0.5, 1)
    ]
    line = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points)
    return Chart(WIDTH, HEIGHT, tuple(boxes), line, tuple(points), tuple(labels), tuple(ticks), names)


def _stack(month: Mapping[str, object], series: Mapping[str, Sequence[str]]) -> list[int]:
    found = month["findings"]
    counts = dict(found) if isinstance(found, Mapping) else {}
    stack = [sum(counts.pop(rule, 0) for rule in rules) for rules in series.values()]
    return [*stack, sum(counts.values())]


def _rate(month: Mapping[str, object], stack: Sequence[int]) -> float:
    cases = int(str(month["cases"]))
    return 100 * sum(stack) / cases if cases else 0.0


def _short(month: str) -> str:
    return f"{month[5:7]}/{month[2:4]}" if month[:1].isdigit() else "-"


def _round_up(number: float) -> float:
    """The next number that reads well at the end of an axis."""
    size = 10 ** int(log10(number)) if number >= 1 else 1
    return next(size * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * factor >= number)
