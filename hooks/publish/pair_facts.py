"""The NCCI pairs of a code in sentences: what is never paid with it, and what only as a distinct service."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from cds_service.review.reference import Statement, cited
from hooks.codes.tables import PAIRS, ClaimSetting, PairRow

_MOST = 10  # codes in one sentence; the section on pairs has all
_WHERE: dict[ClaimSetting, str] = {"professional": "for practitioners", "facility": "for hospitals"}
_Members = Callable[[PairRow], tuple[str, ...]]


def pairs_of(code: str) -> Iterator[Statement]:
    """A sentence for each indicator and direction: the codes of both settings, then those of one only."""
    yield from _sentences(code, _never, "Never paid beside it (indicator 0)", "Never paid beside (indicator 0)")
    yield from _sentences(
        code,
        _with_modifier,
        "Beside it only as a distinct service, with a modifier (indicator 1)",
        "Only as a distinct service, with a modifier (indicator 1), beside",
    )


def _never(row: PairRow) -> tuple[str, ...]:
    return row.never


def _with_modifier(row: PairRow) -> tuple[str, ...]:
    return row.with_modifier


def _sentences(code: str, members: _Members, own: str, named: str) -> Iterator[Statement]:
    rows = [row for row in PAIRS if row.last is None]
    yield from _by_setting(own, [(row, members(row)) for row in rows if row.code == code])
    yield from _by_setting(named, [(row, (row.code,)) for row in rows if code in members(row)])


def _by_setting(words: str, found: list[tuple[PairRow, tuple[str, ...]]]) -> Iterator[Statement]:
    of: dict[ClaimSetting, dict[str, PairRow]] = {"professional": {}, "facility": {}}
    for row, codes in found:
        of[row.setting].update(dict.fromkeys(codes, row))
    common = of["professional"].keys() & of["facility"].keys()
    if common:
        rows = [of[setting][code] for setting in of for code in common]
        yield _statement(words, common, min(rows, key=_age))
    for setting, row_of in of.items():
        only = row_of.keys() - common
        if only:
            also = "also " if common else ""
            yield _statement(f"{words}, {also}{_WHERE[setting]}", only, min(map(row_of.__getitem__, only), key=_age))


def _age(row: PairRow) -> date:
    return row.verified_through or date.min


def _statement(words: str, codes: Iterable[str], row: PairRow) -> Statement:
    every = sorted(codes)
    more = f" and {len(every) - _MOST} more" if len(every) > _MOST else ""
    return Statement(f"{words}: {', '.join(every[:_MOST])}{more}.", cited(PAIRS, row))
