"""Rule: two codes that are not paid together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from cds_service.core.case import Case, Line
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Finding, Fix, Undecided, Why, rule
from hooks.codes.tables import ADD_ONS, PAIRS, BillSetting
from hooks.coding.claims import (
    charged,
    charging,
    days_under_charge,
    is_submitted,
    one_day_and_practitioner,
    settings_of,
    share_a_claim,
)
from hooks.coding.lines import grouped, lines_that_matter, lines_that_may_be_on
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.primaries import is_primary_of, lacks_primary

# Modifiers that say of a line that it was a distinct service; on either line of a pair.
BYPASS = frozenset({"59", "XE", "XS", "XP", "XU"})

Law = Literal["never", "with modifier", "none", "not known"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines of which Medicare pays one, `paid` (column 1), and not the other, `denied` (column 2)."""

    paid: Line
    denied: Line
    law: Law

    @property
    def lines(self) -> tuple[Line, Line]:
        """Both, column 1 first."""
        return self.paid, self.denied

    @property
    def kind(self) -> tuple[str, bool]:
        """Pairs of one kind and certainty are one card: never together, modifier missing, modifier given."""
        bypassed = self.law == "with modifier" and any(BYPASS & set(line.modifiers) for line in self.lines)
        return "bypassed" if bypassed else self.law, all(line.certain for line in self.lines)

    def __str__(self) -> str:
        return f"{self.paid.code} with {self.denied.code}"


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(PAIRS,),
    sources=(PAIRS.sources["ptp-practitioner"], PAIRS.sources["ptp-hospital"]),
    override_reasons=WRONG_CHARGE,
)
def pair_conflict(case: Case) -> Iterator[Finding | Undecided]:
    """Two codes are charged on one day that Medicare does not pay together.

    Why:
        Of some pairs of codes Medicare pays one and denies the other, because the one includes the other or excludes
        it. Some pairs are never paid together; others are where a modifier (59, XE, XS, XP, XU) says that the second
        was a distinct service, which the record must then show.

    Flags:
        Both codes of a pair on one date of service, by one practitioner, on bills of one kind. With such a modifier the
        card only asks for the documentation.

    Passes:
        The codes are on the practitioner's claim and on the hospital's, on different days, by different practitioners,
        or no pair at all (93350 with 93016 or 93018, 93350 or 93351 with Doppler, colour flow or strain).
    """
    days = days_under_charge(case)
    pairs: dict[tuple[date | None, tuple[str, bool]], list[Pair]] = {}
    for one, other in _that_may_conflict(line for line in charging(case) if line.day in days):
        law = _law_of(one, other)
        if law == "none" or not is_submitted((one, other), case) or _other_fault(one, other, case):
            continue
        doubt = _doubt(one, other, law)
        if doubt:
            why: Why = "table" if law == "not known" else "claim"
            yield Undecided(why, f"{one.code} with {other.code}: {doubt}", charged((one, other)))
        else:
            pair = Pair(one, other, law)
            pairs.setdefault((one.day, pair.kind), []).append(pair)
    for (_, (kind, certain)), alike in pairs.items():
        yield _FINDINGS[kind](sorted(alike, key=str), certain, case)


# --- what the table says --------------------------------------------------------------------------------------------


_LISTED = frozenset((row.code, other) for row in PAIRS for other in (*row.never, *row.with_modifier))
_PAID = frozenset(paid for paid, _ in _LISTED)
_DENIED = frozenset(denied for _, denied in _LISTED)


def _that_may_conflict(lines: Iterable[Line]) -> Iterator[tuple[Line, Line]]:
    """Two lines of one day whose codes may be of a pair; most are not, and a long claim has many."""
    listed = [line for line in lines if line.code in _PAID or line.code in _DENIED]
    denied = grouped((line for line in listed if line.code in _DENIED), lambda line: line.day)
    for one in listed:
        if one.code in _PAID:
            yield from ((one, other) for other in denied.get(one.day, ()) if (one.code, other.code) in _LISTED)


def _law_of(one: Line, other: Line) -> Law:
    """What the tables say of two lines, in this order; where the tables of both settings differ, nothing is known."""
    if not one_day_and_practitioner(one, other) or share_a_claim(one, other) is False:
        return "none"
    settings = [setting for setting in settings_of(one) if setting in settings_of(other)]
    found = {_law(one.code, other.code, one.day, setting) for setting in settings or settings_of(one)}
    return found.pop() if len(found) == 1 else "not known"


def _law(one: str, other: str, day: date | None, setting: BillSetting) -> Law:
    rows = [row for row in PAIRS.history(one) if row.setting == setting and other in (*row.never, *row.with_modifier)]
    if not rows:
        return "none"
    row = next((row for row in rows if row.in_force(day)), None)
    if row is None:
        ended = day is not None and all(row.last and row.last < day for row in rows)
        return "none" if ended else "not known"
    return "never" if other in row.never else "with modifier"


def _doubt(one: Line, other: Line, law: Law) -> str:
    if law == "not known":
        return "the tables of pairs do not say how it is on this date of service and kind of bill"
    if one.day is None:
        return "the date of service is not stated"
    if share_a_claim(one, other) is None:
        return "one line carries 26 or TC, and the other may be on another party's bill"
    return ""


def _other_fault(one: Line, other: Line, case: Case) -> bool:
    """Whether the second is an add-on that lacks its primary: it has a card of its own."""
    return one.code not in ADD_ONS and lacks_primary(other, case)


# --- what is said of it ---------------------------------------------------------------------------------------------


def _never(pairs: list[Pair], certain: bool, case: Case) -> Finding:
    removed = _removed(pairs)
    gone = frozenset(removed)
    stranded = [line for line in lines_that_matter(case) if _loses_its_primary(line, gone, case)]
    stays = _joined(_codes(pair.paid for pair in pairs if pair.paid not in gone))
    is_one = len(_codes(removed)) == 1
    return _finding(
        pairs,
        f"{_joined(_codes(removed))} {'is' if is_one else 'are'} not paid beside {stays}: "
        f"remove {'it' if is_one else 'them'}.",
        certain,
        fixes=_remedies([*removed, *stranded]) if certain else (),
        notes=[f"{pair}: never paid together (indicator 0), whatever the modifier." for pair in pairs]
        + [f"{line.code} has no primary left then and goes with it." for line in stranded],
    )


def _removed(pairs: Iterable[Pair]) -> list[Line]:
    """The column 2 lines, from the top: what a removed line denies may stay."""
    left, removed = list(pairs), dict[Line, None]()
    while left:
        denied = dict.fromkeys(pair.denied for pair in left)
        top = [pair.denied for pair in left if pair.paid not in denied] or denied
        removed |= dict.fromkeys(top)
        left = [pair for pair in left if pair.paid not in removed and pair.denied not in removed]
    return list(removed)


def _loses_its_primary(line: Line, removed: frozenset[Line], case: Case) -> bool:
    entry = ADD_ONS.on(line.code, line.day)
    if entry is None or line in removed:
        return False
    primaries = [other for other in lines_that_may_be_on(line.day, case) if is_primary_of(other, line, entry)]
    return bool(primaries) and all(other in removed for other in primaries)


def _remedies(lines: list[Line]) -> tuple[Fix, ...]:
    if not all(line.open for line in lines):
        return ()
    label = f"Remove {_joined(_codes(lines))}"
    return (Fix(label, tuple(RemoveLine(line) for line in lines)),)


def _without_modifier(pairs: list[Pair], certain: bool, _: Case) -> Finding:
    denied = _codes(pair.denied for pair in pairs)
    it, was = ("it", "it was") if len(denied) == 1 else ("them", "they were")
    return _finding(
        pairs,
        f"{_joined(denied)} beside {_joined(_codes(pair.paid for pair in pairs))}: not paid without a modifier. "
        f"Remove {it}, unless {was} distinct.",
        certain,
        notes=[f"{pair}: not paid together (indicator 1)." for pair in pairs]
        + [
            f"Only where {was} a distinct service, and the record shows that, does a modifier (59, XE, XS, XP or XU) "
            f"belong on {it}."
        ],
    )


def _bypassed(pairs: list[Pair], _: bool, __: Case) -> Finding:
    return _finding(
        pairs,
        f"{_joined(map(str, pairs))} by modifier: documentation of a distinct service is needed.",
        False,
        notes=[f"{pair}: paid together only as distinct services (indicator 1)." for pair in pairs],
    )


_FINDINGS = {"never": _never, "with modifier": _without_modifier, "bypassed": _bypassed}


def _finding(pairs: list[Pair], summary: str, loud: bool, notes: list[str], fixes: tuple[Fix, ...] = ()) -> Finding:
    return Finding(
        summary=summary,
        evidence=charged(dict.fromkeys(line for pair in pairs for line in pair.lines)),
        fixes=fixes,
        notes=tuple(dict.fromkeys([*notes, *_more_notes(pairs)])),
        day=pairs[0].paid.day,
        indicator=None if loud else INFO,
    )


def _more_notes(pairs: list[Pair]) -> Iterator[str]:
    for pair in pairs:
        for row in PAIRS.history(pair.paid.code):
            if row.in_force(pair.paid.day) and row.setting in settings_of(pair.paid) and pair.denied.code in row.notes:
                yield row.notes[pair.denied.code]


def _codes(lines: Iterable[Line]) -> list[str]:
    return sorted({line.code for line in lines})


def _joined(words: Iterable[str]) -> str:
    *first, last = list(words)
    return f"{', '.join(first)} and {last}" if first else last
