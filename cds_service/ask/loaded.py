"""Statements of the loaded tables of CMS, on any code that they list."""

from collections.abc import Iterator
from datetime import date

from cds_service.ask.answer import Sentence
from cds_service.ask.tabled import CLAIMS, no_pair, not_paid
from cds_service.cms.answers import AddOn, NotLoaded, UnitLimit
from cds_service.cms.catalog import Release
from cds_service.cms.lookup import Snapshot
from cds_service.languages.messages import Money
from cds_service.languages.worded import worded
from cds_service.review.payment import payments_of

_MAI = {
    1: worded("for each line (MAI 1)"),
    2: worded("an absolute limit (MAI 2)"),
    3: worded("more may be paid on appeal (MAI 3)"),
}
_MOST_PRIMARIES = 30
NOT_LISTED = ":none:"  # in the id of a statement that a release lists nothing


# Topics of our own statements, by the names of their tables, and the kinds of loaded tables that replace them.
UNIT_LIMITS, ADD_ONS, STATUSES, PAYMENT = "unit_limits", "add_ons", "opps", "payment"
_REPLACED = {UNIT_LIMITS: "mue", ADD_ONS: "add-ons", STATUSES: "opps"}


def replaced_tables(snapshot: Snapshot, day: date | None) -> frozenset[tuple[str, str]]:
    """Our own tables that a loaded release answers in place of, on a day or, without one, at present.

    Each with the claim type of the release, empty for all.
    """
    reaching = [each for each in snapshot.releases if day is None or each.answers_from <= day <= each.last]
    kinds = {(each.kind, each.setting) for each in reaching}
    return frozenset((name, setting) for name, wanted in _REPLACED.items() for kind, setting in kinds if kind == wanted)


def _day(snapshot: Snapshot, kind: str, day: date | None) -> date | None:
    """The day to ask for: the stated one, or the last of the loaded releases of a kind."""
    return day or max((each.last for each in snapshot.releases if each.kind == kind), default=None)


def _sentence(text: str, release: Release, name: str, link: str = "/tables") -> Sentence:
    return Sentence(text, f"CMS, {release.title} ({release.file})", release.last, link, name)


def pair_sentences(snapshot: Snapshot, one: str, other: str, day: date | None) -> Iterator[Sentence]:
    """The loaded edits of two codes, for practitioners and for hospitals; none if no release answers."""
    asked = _day(snapshot, "ptp", day)
    if asked is None:
        return
    one, other = sorted((one, other))
    for setting in ("professional", "facility"):
        found = snapshot.pairs([one, other], asked, "professional" if setting == "professional" else "facility")
        if found.edits:
            edit = found.edits[0]
            text = not_paid(setting, edit.column_2, edit.column_1, by_modifier=bool(edit.indicator))
            yield _sentence(text, edit.release, f"ptp:{one}:{other}:{setting}")
        elif not found.not_loaded:
            release = next(each for each in snapshot.releases if (each.kind, each.setting) == ("ptp", setting))
            yield _sentence(no_pair(setting, one, other), release, f"ptp{NOT_LISTED}{one}:{other}:{setting}")


def unit_sentences(snapshot: Snapshot, code: str, day: date | None) -> Iterator[Sentence]:
    """The loaded unit limits of a code."""
    asked = _day(snapshot, "mue", day)
    if asked is None:
        return
    for setting, where in CLAIMS.items():
        found = snapshot.unit_limit(code, asked, "professional" if setting == "professional" else "facility")
        if isinstance(found, UnitLimit):
            text = worded(
                "{code}: at most {units} units for one patient and day on {where} (MUE); {indicator}.",
                code=code,
                units=found.units,
                where=where,
                indicator=_MAI[found.mai],
            )
            yield _sentence(text, found.release, f"mue:{code}:{setting}")


def add_on_sentences(snapshot: Snapshot, code: str, day: date | None) -> Iterator[Sentence]:
    """The loaded primaries of an add-on."""
    asked = _day(snapshot, "add-ons", day)
    found = snapshot.add_on(code, asked) if asked else None
    if isinstance(found, NotLoaded) or not isinstance(found, AddOn):
        return
    listed = [each.code for each in found.primaries]
    codes, more = ", ".join(listed[:_MOST_PRIMARIES]), len(listed) - _MOST_PRIMARIES
    text = worded(
        "{code} is an add-on (type {type}) of {codes}",
        code=code,
        type=str(found.type),
        codes=worded("{codes} and {number} more", codes=codes, number=more) if more > 0 else codes,
    )
    if found.contractor_defined:
        text = worded("{text}; contractors may accept others", text=text)
    yield _sentence(worded("{text}.", text=text), found.release, f"add-ons:{code}")


def payment_sentences(snapshot: Snapshot, code: str) -> Iterator[Sentence]:
    """Medicare's payment of a code by the newest loaded releases: national, not adjusted."""
    for each in payments_of(code, snapshot):
        written = f"{code}-{each.modifier}" if each.modifier else code
        amount = worded("no amount") if each.amount is None else Money(each.amount)
        text = worded(
            "{code}, {where}: {amount} ({basis}).", code=written, where=each.where, amount=amount, basis=each.basis
        )
        where = each.where.replace(" ", "-")
        yield Sentence(text, f"CMS, {each.release}", each.last, f"/codes/{code}", f"payment:{written}:{where}")
