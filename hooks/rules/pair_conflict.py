"""Rule: two codes that Medicare does not pay together (NCCI)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from cds_service.core.case import Case, Line, cached_fact
from cds_service.core.changes import RemoveLine
from cds_service.core.rules import INFO, WARNING, Because, Finding, Fix, Passed, Question, Undecided, Verdict, Why, rule
from cds_service.core.tables import Source
from cds_service.languages.worded import Worded, counted, listed, worded
from hooks.codes.tables import PAIRS
from hooks.coding.claims import (
    BOTH_SETTINGS,
    bypasses_pairs,
    charge_evidence,
    days_checked,
    is_submitted,
    lines_with_units,
    same_day_and_practitioner,
    settings_of,
    share_a_claim,
)
from hooks.coding.hospital import is_of_other_setting
from hooks.coding.judged_pairs import judged_elsewhere
from hooks.coding.lines import alike, alike_on_any_claim, grouped, relevant_lines
from hooks.coding.override_reasons import WRONG_CHARGE
from hooks.coding.pairs import Edit
from hooks.coding.passing import because_of, codes_of
from hooks.coding.practitioners import ByPractitioner
from hooks.coding.primaries import primaries_charged
from hooks.coding.published import Primaries, is_of_echo, listed_pairs, pair_edit, primaries_of, unread_pairs
from hooks.coding.questions import WHEN, whose_claim
from hooks.coding.setting_and_payer import is_outside_opps


@dataclass(frozen=True, slots=True)
class Pair:
    """An NCCI pair: Medicare pays `paid` (column 1) and denies `denied` (column 2), as `sources` list.

    Each side is one line or several that are alike, so that a claim may be long.
    """

    paid: tuple[Line, ...]
    denied: tuple[Line, ...]
    edit: Edit
    sources: tuple[Source, ...]

    @property
    def lines(self) -> tuple[Line, Line]:
        """A line of either side, column 1 first."""
        return self.paid[0], self.denied[0]

    @property
    def every_line(self) -> tuple[Line, ...]:
        """All lines of both sides, column 1 first."""
        return (*self.paid, *self.denied)

    @property
    def kind(self) -> tuple[str, bool]:
        """Pairs of one kind and certainty share a card: never together, modifier missing, modifier present."""
        bypassed = self.edit == "with modifier" and _is_bypassed(self.lines)
        return "bypassed" if bypassed else self.edit, all(line.certain for line in self.lines)

    @property
    def words(self) -> Worded:
        """Its two codes: `93351 with 93016`."""
        return worded("{paid} with {denied}", paid=self.paid[0].code, denied=self.denied[0].code)


@rule(
    order=WARNING,
    claim=WARNING,
    tables=(PAIRS,),
    sources=tuple(PAIRS.sources.values()),
    override_reasons=WRONG_CHARGE,
    if_none=worded("no two codes that this rule compares are under review on one day"),
    every_code=True,
)
def pair_conflict(case: Case) -> Iterator[Verdict]:
    """Two codes are charged on one day that Medicare does not pay together.

    Why:
        NCCI lists pairs of codes of which Medicare pays one and denies the other, because one includes or excludes the
        other. Some pairs are never paid together (indicator 0). Others are paid with a modifier of NCCI's list, such
        as 59 or XS for a distinct service, 25 on a visit or RT for another site, which the record must support
        (indicator 1).

    Flags:
        Both codes of a pair on one date of service, by one practitioner, on one claim type. With such a modifier on
        codes of an echo, the card only asks for documentation.

    Passes:
        The codes are on the practitioner's claim and the hospital's, on different days, or by different practitioners;
        a code of the other setting (see code-for-other-setting); codes that are not a pair (93350 with 93016 or 93018;
        93350 or 93351 with Doppler, color flow or strain). With every code of the claim checked, other codes with such
        a modifier on either line: they are paid as billed.
    """
    days = days_checked(case)
    lines = [line for line in lines_with_units(case) if line.day in days and not is_of_other_setting(line, case)]
    pairs: dict[tuple[date | None, tuple[str, bool]], list[Pair]] = {}
    apart: list[tuple[Line, Line]] = []
    for paid, denied in _candidate_pairs(lines, case):
        one, other = paid[0], denied[0]
        edit, sources = _edit_for(one, other, case)
        if edit == "none" or not is_submitted((one, other), case) or judged_elsewhere(one, other, case):
            apart.append((one, other))
            continue
        pair = Pair(paid, denied, edit, sources)
        uncertainty = _uncertainty(pair, case)
        if uncertainty:
            why: Why = "table" if edit == "not known" else "claim"
            reason = worded("{pair}: {reason}", pair=pair.words, reason=uncertainty)
            yield Undecided(why, reason, charge_evidence(pair.every_line), _question(pair, case))
        else:
            pairs.setdefault((one.day, pair.kind), []).append(pair)
    for (_, (kind, certain)), group in pairs.items():
        yield _FINDINGS[kind](sorted(group, key=lambda pair: pair.words), certain, case)
    if case.every_code:
        yield from _unread(lines, case)
    yield from _passes(lines, apart, case)


# --- NCCI edits -----------------------------------------------------------------------------------------------------


_LISTED = frozenset((row.code, other) for row in PAIRS for other in (*row.never, *row.with_modifier))
_PAID = frozenset(paid for paid, _ in _LISTED)
_Sides = tuple[tuple[Line, ...], tuple[Line, ...]]  # the lines of column 1 and of column 2


def _candidate_pairs(lines: Iterable[Line], case: Case) -> Iterator[_Sides]:
    """Lines of one day whose codes are a listed pair; indexed by day and code, since a claim may be long."""
    for day, of_day in grouped(lines, lambda line: line.day).items():
        by_code = grouped(alike_on_any_claim(of_day), lambda same: same[0].code)
        own = {(paid, denied) for paid in by_code.keys() & _PAID for denied in by_code if (paid, denied) in _LISTED}
        loaded = listed_pairs(_codes_on(day, case), day, BOTH_SETTINGS, case)
        for paid, denied in sorted(own | {pair for pair in loaded if pair[0] in by_code and pair[1] in by_code}):
            for one, other in _by_practitioner(by_code[paid], by_code[denied]):
                yield from _by_claim(one, other)


def _by_claim(paid: tuple[Line, ...], denied: tuple[Line, ...]) -> Iterator[_Sides]:
    """Of claims of unknown types, the lines that share a claim and those that do not; the first two of each do."""
    of_paid, of_denied = ({line.claim for line in lines} for lines in (paid, denied))
    if {paid[0].claim_type, denied[0].claim_type} != {"unknown"} or len(of_paid | of_denied) == 1:
        yield paid, denied
        return
    if shared := sorted(of_paid & of_denied):
        yield _on(shared, paid), _on(shared, denied)
    one = next(line for line in paid if of_denied - {line.claim})
    other = next(line for line in denied if line.claim != one.claim)
    yield _led_by(one, paid, of_denied), _led_by(other, denied, of_paid)


def _on(claims: list[str], lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines of these claims, in their order."""
    of_claim = grouped(lines, lambda line: line.claim)
    return tuple(line for claim in claims for line in of_claim[claim])


def _led_by(first: Line, lines: tuple[Line, ...], opposite: set[str]) -> tuple[Line, ...]:
    """A line and the others of whose claims one of the opposite claims differs."""
    one_other = next(iter(opposite)) if len(opposite) == 1 else None
    return (first, *(line for line in lines if line is not first and line.claim != one_other))


def _by_practitioner(paid: list[tuple[Line, ...]], denied: list[tuple[Line, ...]]) -> Iterator[_Sides]:
    """Each group of column 1 with those of column 2 that a practitioner of it may have charged.

    If nobody may have charged both, the first of either, so that the rule can say so.
    """
    if len(paid) == len(denied) == 1:  # as nearly always
        yield paid[0], denied[0]
        return
    charged = ByPractitioner(denied, lambda same: same[0].performers)
    is_paired = False
    for one in paid:
        found = {id(other): other for other in charged.may_be_of(one[0].performers)}
        yield from ((one, other) for other in found.values())
        is_paired |= bool(found)
    if not is_paired:
        yield paid[0], denied[0]


def _codes_on(day: date | None, case: Case) -> frozenset[str]:
    return _codes_by_day(case).get(day, frozenset())


@cached_fact
def _codes_by_day(case: Case) -> dict[date | None, frozenset[str]]:
    by_day = grouped((line for line in lines_with_units(case) if line.code), lambda line: line.day)
    return {day: frozenset(line.code for line in lines) for day, lines in by_day.items()}


def _edit_for(one: Line, other: Line, case: Case) -> tuple[Edit, tuple[Source, ...]]:
    """The edit for two lines in this order, with its sources; `not known` if the tables of the two settings differ."""
    if not same_day_and_practitioner(one, other) or share_a_claim(one, other) is False:
        return "none", ()
    found = _edits_by_setting(one, other, case)
    is_paid_as_billed = not _is_of_echo((one, other)) and _is_bypassed((one, other))
    edits: set[Edit] = {"none" if edit == "with modifier" and is_paid_as_billed else edit for edit, _ in found}
    return edits.pop() if len(edits) == 1 else "not known", tuple(source for _, source in found if source)


def _edits_by_setting(one: Line, other: Line, case: Case) -> list[tuple[Edit, Source | None]]:
    """The edit in each setting that both lines may be of."""
    settings = [setting for setting in settings_of(one) if setting in settings_of(other)] or settings_of(one)
    codes = _codes_on(one.day, case)
    return [pair_edit(one.code, other.code, codes, one.day, setting, case) for setting in settings]


def _is_bypassed(lines: tuple[Line, Line]) -> bool:
    """True if a modifier on either line lets Medicare pay both codes of a pair of indicator 1."""
    return any(map(bypasses_pairs, lines))


def _is_of_echo(lines: tuple[Line, Line]) -> bool:
    """True if both codes are in our own tables: then a card asks for the documentation that the modifier needs."""
    return all(is_of_echo(line.code) for line in lines)


def _unread(lines: list[Line], case: Case) -> Iterator[Undecided]:
    """The days on which pairs of other codes than those of our own tables are not known."""
    for day, of_day in grouped(lines, lambda line: line.day).items():
        submitted = [line for line in of_day if line.under_review]
        settings = {setting for line in submitted for setting in settings_of(line)}
        if day is not None and submitted:
            for reason in unread_pairs(_codes_on(day, case), day, sorted(settings), case):
                yield Undecided("table", reason, charge_evidence(submitted))


def _uncertainty(pair: Pair, case: Case) -> Worded | None:
    if pair.edit == "not known":
        return worded("the NCCI tables do not cover this date of service and claim type")
    if pair.lines[0].day is None:
        return worded("the date of service is not stated")
    if share_a_claim(*pair.lines) is None:
        return worded("one line carries 26 or TC, and the other may be on another party's claim")
    if not _is_of_echo(pair.lines) and is_outside_opps(pair.lines, case):
        return worded("this hospital is not paid under OPPS, and NCCI's pairs may not apply: ask your MAC")
    return None


def _question(pair: Pair, case: Case) -> Question | None:
    """Asks for the day or, if the edit is known for each setting, whose claim it is."""
    if pair.lines[0].day is None:
        return WHEN
    edits = [edit for edit, _ in _edits_by_setting(*pair.lines, case)]
    return whose_claim(pair.lines) if "not known" not in edits else None


def _passes(lines: list[Line], apart: list[tuple[Line, Line]], case: Case) -> Iterator[Passed]:
    """One for each pair that is not on one claim, or for each day with several codes and no pair."""
    for one, other in apart:
        yield Passed(_apart, one, other, case)
    for day, of_day in grouped(lines, lambda line: line.day).items() if not apart else ():
        asked = [line for line in of_day if line.code and (case.every_code or is_of_echo(line.code))]
        if len({line.code for line in asked}) > 1:
            yield Passed(_no_pair, day, asked)


def _no_pair(day: date | None, lines: list[Line]) -> Because:
    if day is None:
        return because_of(worded("no NCCI pair is among {codes}", codes=codes_of(lines)), lines)
    return because_of(worded("no NCCI pair is among {codes} on {day}", codes=codes_of(lines), day=day), lines)


def _apart(one: Line, other: Line, case: Case) -> Because:
    both = listed((one.code, other.code))
    if not same_day_and_practitioner(one, other):
        return because_of(worded("{codes} are charged by different practitioners", codes=both), (one, other))
    if share_a_claim(one, other) is False:
        return because_of(worded("{codes} are not on one party's claim", codes=both), (one, other))
    if not is_submitted((one, other), case):
        neither = worded("neither {code} nor {other} is under review", code=one.code, other=other.code)
        return because_of(neither, (one, other))
    if judged := judged_elsewhere(one, other, case):
        return judged
    if one.day is None:
        return because_of(worded("{codes} are paid together as billed", codes=both), (one, other))
    return because_of(worded("{codes} are paid together as billed on {day}", codes=both, day=one.day), (one, other))


# --- findings -------------------------------------------------------------------------------------------------------


def _never(pairs: list[Pair], certain: bool, case: Case) -> Finding:
    removed = _removed(pairs)
    removed_lines = frozenset(removed)
    orphaned = [
        line
        for same in alike(relevant_lines(case))
        if _loses_its_primary(same[0], removed_lines, case)
        for line in same
    ]
    summary = counted(
        "{codes} is not paid with {others}: remove it.",
        "{codes} are not paid with {others}: remove them.",
        len(_codes(removed)),
        codes=listed(_codes(removed)),
        others=listed(_codes(pair.paid[0] for pair in pairs if pair.paid[0] not in removed_lines)),
    )
    never = [
        worded("{pair}: never paid together (indicator 0), even with a modifier.", pair=pair.words) for pair in pairs
    ]
    alone = [worded("{code} would have no primary left and is removed too.", code=code) for code in _codes(orphaned)]
    return _finding(pairs, summary, certain, [*never, *alone], _removal([*removed, *orphaned]) if certain else ())


def _removed(pairs: Iterable[Pair]) -> list[Line]:
    """Column 2 lines to remove, from the top: a line denied only by a removed line may stay."""
    left, removed = list(pairs), dict[Line, None]()
    while left:
        denied = {line for pair in left for line in pair.denied}
        top = [pair for pair in left if denied.isdisjoint(pair.paid)] or left
        removed |= dict.fromkeys(line for pair in top for line in pair.denied)
        left = [pair for pair in left if not any(removed.keys() >= set(side) for side in (pair.paid, pair.denied))]
    return list(removed)


def _loses_its_primary(line: Line, removed: frozenset[Line], case: Case) -> bool:
    found = primaries_of(line.code, line.day, case)
    if not isinstance(found, Primaries) or line in removed:
        return False
    primaries = list(primaries_charged(line, found.codes, case))
    return bool(primaries) and all(other in removed for other in primaries)


def _removal(lines: list[Line]) -> tuple[Fix, ...]:
    if not all(line.open and line.certain for line in lines):
        return ()
    label = worded("Remove {codes}", codes=listed(_codes(lines)))
    return (Fix(label, tuple(RemoveLine(line) for line in lines)),)


def _without_modifier(pairs: list[Pair], certain: bool, _: Case) -> Finding:
    denied = _codes(pair.denied[0] for pair in pairs)
    summary = counted(
        "{codes} with {others}: not paid without a modifier. Remove it, unless it was distinct.",
        "{codes} with {others}: not paid without a modifier. Remove them, unless they were distinct.",
        len(denied),
        codes=listed(denied),
        others=listed(_codes(pair.paid[0] for pair in pairs)),
    )
    if_distinct = counted(
        "Add a modifier (59, XE, XS, XP, XU, or of another site) to it only if it was a distinct service and the "
        "record supports that.",
        "Add a modifier (59, XE, XS, XP, XU, or of another site) to them only if they were a distinct service and the "
        "record supports that.",
        len(denied),
    )
    together = [worded("{pair}: not paid together (indicator 1).", pair=pair.words) for pair in pairs]
    return _finding(pairs, summary, certain, [*together, if_distinct])


def _bypassed(pairs: list[Pair], _: bool, __: Case) -> Finding:
    summary = worded(
        "{pairs} by modifier: documentation of a distinct service is required.",
        pairs=listed(pair.words for pair in pairs),
    )
    distinct = [
        worded("{pair}: paid together only as distinct services (indicator 1).", pair=pair.words) for pair in pairs
    ]
    return _finding(pairs, summary, False, distinct)


_FINDINGS = {"never": _never, "with modifier": _without_modifier, "bypassed": _bypassed}


def _finding(
    pairs: list[Pair], summary: Worded, certain: bool, notes: list[Worded], fixes: tuple[Fix, ...] = ()
) -> Finding:
    return Finding(
        summary=summary,
        evidence=charge_evidence(dict.fromkeys(line for pair in pairs for line in pair.every_line)),
        fixes=fixes,
        notes=tuple(dict.fromkeys([*notes, *_more_notes(pairs)])),
        day=pairs[0].paid[0].day,
        indicator=None if certain else INFO,
        sources=tuple(dict.fromkeys(source for pair in pairs for source in pair.sources)),
    )


def _more_notes(pairs: list[Pair]) -> Iterator[str]:
    """The remarks of our own table, whichever table lists the pair."""
    for pair in pairs:
        rows = [row for row in PAIRS.history(pair.lines[0].code) if row.setting in settings_of(pair.lines[0])]
        yield from (row.notes[pair.lines[1].code] for row in rows if pair.lines[1].code in row.notes)


def _codes(lines: Iterable[Line]) -> list[str]:
    return sorted({line.code for line in lines})
