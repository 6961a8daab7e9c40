"""Two quarters of invented tables of every specialty, large enough to draw many claims from."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

from cds_service.cms.quarters import Quarter
from hooks.codes.tables import KNOWN_CODES
from tests.support.cms_release import Release, compact

QUARTERS = (Quarter(2026, 2), Quarter(2026, 4))

_LETTERS = {"A": 25, "C": 30, "E": 20, "G": 30, "J": 60, "L": 15, "Q": 20}
_ADD_ONS = 70
_COLUMN_2 = 14  # edits of a column 1 code
_ENDED, _NOT_BEGUN = date(2025, 12, 31), date(2027, 1, 1)


def codes(dice: random.Random) -> list[str]:
    """Invented codes in the forms of true ones, none of which our own tables name."""
    numeric = [f"{number:05d}" for number in range(10_021, 69_990, 149)]
    lettered = [f"{letter}{dice.randrange(1000, 9999)}" for letter, count in _LETTERS.items() for _ in range(count)]
    recent = [f"{number:04d}T" for number in range(101, 900, 37)]
    return sorted({*numeric, *lettered, *recent} - KNOWN_CODES)


def releases(seed: int) -> tuple[Release, ...]:
    """The tables of both quarters. Limits, indicators, statuses and dates differ between them."""
    dice = random.Random(seed)
    universe = codes(dice)
    add_ons = dice.sample([code for code in universe if code[0].isdigit()], _ADD_ONS)
    professional, others = sorted(_pairs(dice, universe)), list(_pairs(dice, universe))
    common = [row for row in professional if _number_of(row) % 2]
    taken = {row[:2] for row in common}
    pairs = {
        "professional": professional,
        "facility": sorted([*common, *(row for row in others if row[:2] not in taken)]),
    }
    return tuple(_release(dice, quarter, universe, add_ons, pairs) for quarter in QUARTERS)


def _number_of(row: tuple[str, ...]) -> int:
    """A number of the pair, the same for all its periods and in every run."""
    return sum(map(ord, row[0] + row[1]))


def _release(
    dice: random.Random,
    quarter: Quarter,
    universe: list[str],
    add_ons: list[str],
    pairs: dict[str, list[tuple[str, ...]]],
) -> Release:
    is_last = quarter == QUARTERS[-1]
    equipment = [code for code in universe if code[0] in "AEL"]
    return Release(
        quarter,
        pairs=pairs if is_last else {},
        limits={
            "professional": _limits(dice, universe),
            "facility": _limits(dice, universe),
            "dme": _limits(dice, equipment),
        },
        add_ons=list(_edits_of_add_ons(dice, universe, add_ons)) if is_last else (),
        components=[(code, dice.choice("0000111239")) for code in universe if dice.random() < 0.9],
        statuses=[
            (code, dice.choice(("S", "T", "N", "Q1", "A", "K", "G", "B", "M")))
            for code in universe
            if dice.random() < 0.95
        ],
        level_ii=list(_level_ii(dice, universe, quarter)),
    )


def _pairs(dice: random.Random, universe: list[str]) -> Iterator[tuple[str, ...]]:
    """Edits of one or two periods, some ended, some never in force."""
    for column_1 in universe:
        for column_2 in dice.sample(universe, _COLUMN_2):
            if column_1 == column_2:
                continue
            kind = dice.random()
            first = compact(date(2010, 1, 1) + timedelta(days=dice.randrange(5000)))
            if kind < 0.1:
                yield column_1, column_2, first, compact(_ENDED), dice.choice("01")
            elif kind < 0.15:
                yield column_1, column_2, first, first, "9"
            elif kind < 0.25:  # another indicator in each quarter
                yield column_1, column_2, first, "20260630", "0"
                yield column_1, column_2, "20260701", "*", "1"
            else:
                yield column_1, column_2, first, "*", dice.choice("0011")


def _limits(dice: random.Random, universe: list[str]) -> list[tuple[str, str, str]]:
    found = [code for code in universe if dice.random() < 0.9]
    return [(code, str(dice.choice((0, 1, 1, 2, 3, 4, 10, 40))), dice.choice("123")) for code in found]


def _edits_of_add_ons(dice: random.Random, universe: list[str], add_ons: list[str]) -> Iterator[tuple[str, ...]]:
    primaries = [code for code in universe if code not in add_ons]
    for add_on in sorted(add_ons):
        kind = dice.choice("1111123")
        for primary in ["CCCCC"] if kind == "2" else dice.sample(primaries, dice.randrange(1, 7)):
            ended = "2026-06-30" if dice.random() < 0.15 else ""
            yield kind, add_on, primary, "2013-04-01" if ended else dice.choice(("2013-04-01", "2026-07-01")), ended
        if kind == "3":
            yield kind, add_on, "CCCCC", "2013-04-01", ""


def _level_ii(dice: random.Random, universe: list[str], quarter: Quarter) -> Iterator[tuple[str, str, str]]:
    for code in universe:
        if not code[0].isalpha():
            continue
        kind = dice.random()
        first = compact(date(2001, 1, 1) + timedelta(days=dice.randrange(8000)))
        if kind < 0.75:
            yield code, first, ""
        elif kind < 0.9:
            yield code, first, compact(quarter.first + timedelta(days=dice.randrange(80)))
        else:
            yield code, compact(_NOT_BEGUN), ""
