"""The NCCI pairs of a code in sentences: what is never paid with it, and what only as a distinct service."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from cds_service.languages.worded import Worded, counted, joined, worded
from cds_service.review.reference import Statement, cited
from hooks.codes.tables import PAIRS, ClaimSetting, PairRow

_MOST = 10  # codes in one sentence; the section on pairs has all
_WHERE: dict[ClaimSetting, Worded] = {"professional": worded("for practitioners"), "facility": worded("for hospitals")}
_ALSO: dict[ClaimSetting, Worded] = {
    "professional": worded("also for practitioners"),
    "facility": worded("also for hospitals"),
}
_Members = Callable[[PairRow], tuple[str, ...]]


def pairs_of(code: str) -> Iterator[Statement]:
    """A sentence for each indicator and direction: the codes of both settings, then those of one only."""
    yield from _sentences(
        code, _never, worded("Never paid beside it (indicator 0)"), worded("Never paid beside (indicator 0)")
    )
    yield from _sentences(
        code,
        _with_modifier,
        worded("Beside it only as a distinct service, with a modifier (indicator 1)"),
        worded("Only as a distinct service, with a modifier (indicator 1), beside"),
    )


def _never(row: PairRow) -> tuple[str, ...]:
    return row.never


def _with_modifier(row: PairRow) -> tuple[str, ...]:
    return row.with_modifier


def _sentences(code: str, members: _Members, own: Worded, named: Worded) -> Iterator[Statement]:
    rows = [row for row in PAIRS if row.last is None]
    yield from _by_setting(own, [(row, members(row)) for row in rows if row.code == code])
    yield from _by_setting(named, [(row, (row.code,)) for row in rows if code in members(row)])


def _by_setting(words: Worded, found: list[tuple[PairRow, tuple[str, ...]]]) -> Iterator[Statement]:
    of: dict[ClaimSetting, dict[str, PairRow]] = {"professional": {}, "facility": {}}
    for row, codes in found:
        of[row.setting].update(dict.fromkeys(codes, row))
    common = sorted(of["professional"].keys() & of["facility"].keys())
    if common:
        rows = [of[setting][code] for setting in of for code in common]
        yield _statement(words, common, min(rows, key=_age))
    for setting, row_of in of.items():
        only = sorted(row_of.keys() - common)
        if only:
            where = joined(", ", (words, (_ALSO if common else _WHERE)[setting]))
            yield _statement(where, only, min(map(row_of.__getitem__, only), key=_age))


def _age(row: PairRow) -> date:
    return row.verified_through or date.min


def _statement(words: Worded, every: Sequence[str], row: PairRow) -> Statement:
    codes, more = ", ".join(every[:_MOST]), len(every) - _MOST
    shown = counted("{codes} and {count} more", "{codes} and {count} more", more, codes=codes) if more > 0 else codes
    return Statement(worded("{words}: {codes}.", words=words, codes=shown), cited(PAIRS, row))
