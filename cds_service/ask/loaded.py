"""Statements of the loaded tables of CMS, on any code that they list."""

from collections.abc import Iterator
from datetime import date

from cds_service.ask.answer import Sentence
from cds_service.cms.answers import AddOn, NotLoaded, UnitLimit
from cds_service.cms.catalog import Release
from cds_service.cms.lookup import Snapshot
from cds_service.review.payment import payments_of

_CLAIMS = {"professional": "a practitioner's claim", "facility": "a hospital outpatient claim"}
_MAI = {1: "for each line (MAI 1)", 2: "an absolute limit (MAI 2)", 3: "more may be paid on appeal (MAI 3)"}
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
            how = "unless a modifier tells of a distinct service (indicator 1)"
            how = how if edit.indicator else "with any modifier (indicator 0)"
            text = f"On {_CLAIMS[setting]}, {edit.column_2} is not paid with {edit.column_1} {how}."
            yield _sentence(text, edit.release, f"ptp:{one}:{other}:{setting}")
        elif not found.not_loaded:
            release = next(each for each in snapshot.releases if (each.kind, each.setting) == ("ptp", setting))
            text = f"On {_CLAIMS[setting]}, no NCCI pair of {one} and {other} is listed."
            yield _sentence(text, release, f"ptp{NOT_LISTED}{one}:{other}:{setting}")


def unit_sentences(snapshot: Snapshot, code: str, day: date | None) -> Iterator[Sentence]:
    """The loaded unit limits of a code."""
    asked = _day(snapshot, "mue", day)
    if asked is None:
        return
    for setting, where in _CLAIMS.items():
        found = snapshot.unit_limit(code, asked, "professional" if setting == "professional" else "facility")
        if isinstance(found, UnitLimit):
            text = f"{code}: at most {found.units} units for one patient and day on {where} (MUE); {_MAI[found.mai]}."
            yield _sentence(text, found.release, f"mue:{code}:{setting}")


def add_on_sentences(snapshot: Snapshot, code: str, day: date | None) -> Iterator[Sentence]:
    """The loaded primaries of an add-on."""
    asked = _day(snapshot, "add-ons", day)
    found = snapshot.add_on(code, asked) if asked else None
    if isinstance(found, NotLoaded) or not isinstance(found, AddOn):
        return
    listed = [each.code for each in found.primaries]
    more = f" and {len(listed) - _MOST_PRIMARIES} more" if len(listed) > _MOST_PRIMARIES else ""
    others = "; contractors may accept others" if found.contractor_defined else ""
    text = f"{code} is an add-on (type {found.type}) of {', '.join(listed[:_MOST_PRIMARIES])}{more}{others}."
    yield _sentence(text, found.release, f"add-ons:{code}")


def payment_sentences(snapshot: Snapshot, code: str) -> Iterator[Sentence]:
    """Medicare's payment of a code by the newest loaded releases: national, not adjusted."""
    for each in payments_of(code, snapshot):
        written = f"{code}-{each.modifier}" if each.modifier else code
        amount = "no amount" if each.amount is None else f"${each.amount:,}"
        text = f"{written}, {each.where}: {amount} ({each.basis})."
        where = each.where.replace(" ", "-")
        yield Sentence(text, f"CMS, {each.release}", each.last, f"/codes/{code}", f"payment:{written}:{where}")
