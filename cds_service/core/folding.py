"""One fix, one finding: what one fix repairs is given as one finding, with the reasons of each rule.

Two rules may see one fault, such as a code that the claim's C code covers and that Medicare does not pay beside it. And
one fault may follow from another: units over a limit, since the volume was entered as units. In either case the fix of
one finding repairs the other, which is folded into it (`Finding.also`) and no longer offers its fixes alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from heapq import nlargest

from cds_service.core.case import Case, Stage
from cds_service.core.changes import made
from cds_service.core.comparison import is_part_of, places_of, records_of, targets_of
from cds_service.core.rules import WARNING, Finding, Fix, Rule

Found = tuple[Rule, Finding]

MOST_TRIED = 24  # fixes made for trial in a case: each runs a rule once more
MOST_CAUSES = 24  # findings that may repair another one


def folded(findings: Sequence[Found], case: Case) -> tuple[Found, ...]:
    """The findings in their order, each folded into the one whose fix repairs it.

    That is one whose fixes include all of its own, and with each of them made, its rule no longer finds it.
    """
    if len(findings) < 2:
        return tuple(findings)
    ranks = _ranks(findings, case.stage)
    trial = _Trial(case)
    targets = [targets_of(finding) for _, finding in findings]
    into = list(range(len(findings)))
    for number, causes in _with_causes(findings, ranks):
        causes_left = (each for each in causes if into[each] == each and targets[number] <= targets[each])
        into[number] = next((each for each in causes_left if trial.repairs(findings[each], findings[number])), number)
    by_root: dict[int, list[Found]] = {number: [] for number, cause in enumerate(into) if cause == number}
    for number, cause in enumerate(into):
        if cause != number:
            by_root[_root(cause, into)].append(findings[number])
    return tuple(_with_folded(findings[root], also) for root, also in by_root.items())


class _Trial:
    """Fixes made for trial on a case, at most MOST_TRIED."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tried = 0
        self._last: tuple[Fix, Case] | None = None

    def repairs(self, cause: Found, other: Found) -> bool:
        """True if the fixes of a finding include those of another, and each of them takes the other away."""
        fixes, theirs = cause[1].fixes, other[1].fixes
        if not fixes or not all(any(is_part_of(each, fix) for fix in fixes) for each in theirs):
            return False
        if theirs and all(any(is_part_of(fix, each) for each in theirs) for fix in fixes):
            return True  # the same fixes: the other's rule asks for no more
        return all(self._takes_away(fix, other) for fix in fixes)

    def _takes_away(self, fix: Fix, other: Found) -> bool:
        self.tried += 1
        if self.tried > MOST_TRIED:
            return False
        rule, finding = other
        cited = records_of(finding)
        left = (each for each in rule.check(self._made(fix)) if isinstance(each, Finding))
        return not any(records_of(each) & cited for each in left)

    def _made(self, fix: Fix) -> Case:
        """The case with a fix made. The last one is kept: the strongest cause is tried on one finding after another."""
        if self._last is None or self._last[0] is not fix:
            self._last = fix, made(self.case, fix.changes)
        return self._last[1]


def _ranks(findings: Sequence[Found], stage: Stage) -> list[tuple[bool, bool, int, int]]:
    """The strength of each finding's fixes: what is recommended, or for a warning, is not folded into weaker ones."""
    return [
        (
            any(fix.recommended for fix in finding.fixes),
            rule.indicator_of(finding, stage) == WARNING,
            max((len(fix.changes) for fix in finding.fixes), default=0),
            -number,
        )
        for number, (rule, finding) in enumerate(findings)
    ]


def _with_causes(
    findings: Sequence[Found], ranks: Sequence[tuple[bool, bool, int, int]]
) -> Iterator[tuple[int, list[int]]]:
    """Each finding, the weakest first, with those that cite or change one of its records, the strongest first."""
    by_place: dict[tuple[str, str], list[int]] = {}
    for number, (_, finding) in enumerate(findings):
        changed = (place for fix in finding.fixes for change in fix.changes for place in places_of(change))
        for place in records_of(finding).union(changed) if finding.fixes else ():
            by_place.setdefault(place, []).append(number)

    @cache
    def strongest_at(place: tuple[str, str]) -> list[int]:
        """The strongest findings at a record, one more than are looked at: one of them may be that in question."""
        return nlargest(MOST_CAUSES + 1, by_place.get(place, ()), key=ranks.__getitem__)

    for number in sorted(range(len(findings)), key=ranks.__getitem__):
        places = records_of(findings[number][1])
        near = {other for place in places for other in strongest_at(place)} - {number}
        yield number, nlargest(MOST_CAUSES, near, key=ranks.__getitem__)


def _root(number: int, into: Sequence[int]) -> int:
    while into[number] != number:
        number = into[number]
    return number


def _with_folded(found: Found, also: Sequence[Found]) -> Found:
    rule, finding = found
    return (rule, replace(finding, also=tuple(also))) if also else found
