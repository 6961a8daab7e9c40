"""The records of a case that were not understood, and the words in which a person can act on each."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from cds_service.core.alternatives import Unclear
from cds_service.core.case import (
    Administration,
    Case,
    Diagnosis,
    Line,
    Order,
    Procedure,
    Record,
    RecordT,
    cached_fact,
)
from cds_service.core.concepts import BILLING, MODIFIER, REFERENCE, REVENUE, Code, Concept
from cds_service.core.lazy_records import Records
from cds_service.core.system_names import SYSTEM_NAMES
from hooks.coding.lines import days_under_review, relevant_lines
from hooks.coding.setting_and_payer import unnamed_coverages, unresolved_coverages
from hooks.coding.studies import records_of_echo, studies
from hooks.coding.study_codes import names_study
from hooks.coding.understood import Kind, is_charge_understood, is_understood, unknown_code

_KIND_NAMES = {
    "charge": "a charge",
    "drug": "an administration",
    "procedure": "a procedure",
    "material": "a material used",
    "order": "an order",
    "diagnosis": "a diagnosis",
}
_TOKEN = re.compile(r"[^\s<>\"'`]{1,200}")
_SYSTEM_NAMES = SYSTEM_NAMES | {REVENUE: "revenue code"}


@cached_fact
def unclear_lines(case: Case) -> tuple[Line, ...]:
    """The lines whose code was not understood."""
    return tuple(_lines(case, case.lines.matching))


@cached_fact
def unclear_administrations(case: Case) -> tuple[Administration, ...]:
    """The administrations of a drug that was not understood."""
    return tuple(_administrations(case, case.administrations.matching))


@cached_fact
def unclear_procedures(case: Case) -> tuple[Procedure, ...]:
    """The procedures of a kind that was not understood."""
    return tuple(_procedures(case, case.procedures.matching))


@cached_fact
def procedures_with_unclear_use(case: Case) -> tuple[Procedure, ...]:
    """The echo procedures that used a drug or material that was not understood."""
    return tuple(_with_unclear_use(case, case.procedures.matching))


@cached_fact
def unclear_orders(case: Case) -> tuple[Order, ...]:
    """At order time, the orders of a service or drug that was not understood."""
    return tuple(_orders(case, case.orders.matching))


# The records of a case that pass a test of their concept: all of them, or of those near the days that matter.
Matching = Callable[[Callable[[Concept], object]], Iterator[RecordT]]


def _lines(case: Case, matching: Matching[Line]) -> Iterator[Line]:
    lines = matching(lambda charged: not is_understood("charge", charged, case))
    return (line for line in lines if not is_charge_understood(line, case))


def _administrations(case: Case, matching: Matching[Administration]) -> Iterator[Administration]:
    return matching(lambda drug: not is_understood("drug", drug, case))


def _procedures(case: Case, matching: Matching[Procedure]) -> Iterator[Procedure]:
    return matching(lambda done: not is_understood("service", done, case))


def _with_unclear_use(case: Case, matching: Matching[Procedure]) -> Iterator[Procedure]:
    return (done for done in matching(names_study) if any(not is_understood("drug", each, case) for each in done.used))


def _orders(case: Case, matching: Matching[Order]) -> Iterator[Order]:
    def may_be_unclear(ordered: Concept) -> bool:
        return not (is_understood("drug", ordered, case) and is_understood("service", ordered, case))

    orders = matching(may_be_unclear) if case.stage == "order" else iter(())
    return (each for each in orders if not is_understood(_kind_of(each), each.concept, case))


@cached_fact
def records_with_unclear_diagnosis(case: Case) -> tuple[Line | Order | Procedure, ...]:
    """The lines and orders under review, and the records that the lines refer to, with a diagnosis not understood."""
    lines = tuple(case.lines.under_review())
    links = frozenset[str]().union(*(line.links for line in lines))
    every: list[Line | Order | Procedure] = [*lines, *case.orders.under_review()]
    if links:
        every += case.procedures.identified_by(links)
        every += case.orders.identified_by(links)
    return tuple({id(each): each for each in every if unclear_diagnosis(each)}.values())


def unclear_diagnosis(record: Line | Order | Procedure) -> Diagnosis | None:
    """The first diagnosis of a record, or of its claim, that was not understood."""
    of_claim = record.claim_diagnoses if isinstance(record, Line) else ()
    return next((each for each in (*record.diagnoses, *of_claim) if not each.code), None)


def _kind_of(order: Order) -> Kind:
    return "drug" if order.kind == "medication" else "service"


def unclear_records(case: Case) -> tuple[Unclear, ...]:
    """The records of a case that were not understood, together where the reason is the same.

    Of a long record, only those under review, without a day, or of a day near a study or a charge under review.
    """
    near = days_that_matter(case)

    def matching(records: Records[RecordT]) -> Matching[RecordT]:
        return partial(records.matching_near, near)

    every: list[tuple[Record, Concept, str]]
    every = [(line, line.concept, "charge") for line in _lines(case, matching(case.lines))]
    every += [(each, each.concept, "drug") for each in _administrations(case, matching(case.administrations))]
    every += [(each, each.concept, "procedure") for each in _procedures(case, matching(case.procedures))]
    every += [
        (done, used, "material")
        for done in _with_unclear_use(case, matching(case.procedures))
        for used in done.used
        if not is_understood("drug", used, case)
    ]
    every += [(each, each.concept, "order") for each in _orders(case, matching(case.orders))]
    found = [unclear_of(*each) for each in every]
    lines = list(matching(case.lines)(lambda _: True))
    found += [unclear_modifiers(line) for line in lines if line.unclear_modifiers]
    found += [unclear_units(line) for line in lines if line.units_unclear]
    return tuple(_together(found))


@cached_fact
def days_that_matter(case: Case) -> frozenset[date]:
    """The days of studies and charges under review, and their neighbors."""
    return _with_neighbors({study.day for study in studies(case)} | days_under_review(case))


def _with_neighbors(days: Iterable[date | None]) -> frozenset[date]:
    return frozenset(near for day in days for by in (-1, 0, 1) if (near := shifted_day(day, by)))


def without_other_studies(procedures: Iterable[Procedure], case: Case) -> tuple[Procedure, ...]:
    """The procedures that may be of a study that a rule speaks of, or decide what is of it.

    Left out are those of another day and encounter that no reference links to anything: whatever they are, they are of
    another study. A record without a date might be of theirs, so if there is one, none is left out.
    """
    every = tuple(procedures)
    if not every:
        return ()
    days, ties = _ties(case)
    return tuple(each for each in every if not days or _is_tied(each, days, ties))


def _is_tied(record: Record, days: frozenset[date], ties: frozenset[str]) -> bool:
    if record.day is None or record.last_day is not None or record.under_review or record.day in days:
        return True
    return record.identity in ties or record.encounter in ties or not ties.isdisjoint(record.links)


@cached_fact
def _ties(case: Case) -> tuple[frozenset[date], frozenset[str]]:
    """The days of the records that studies are made of, with their neighbors, and what they are, refer to and are
    documented by; without days if a record has none. Conditions document any study, whatever their day.
    """
    known: list[Record] = [*relevant_lines(case), *case.orders.under_review(), *records_of_echo(case)]
    near = _with_neighbors(each.day for each in known)
    loose: list[Record] = [*case.observations.near(near), *case.administrations.near(near)]
    loose += [each for each in case.documents.near(near) if each.kind != "condition"]
    tied = [*known, *loose]
    if any(each.day is None for each in tied):
        return frozenset(), frozenset()
    names = {name for each in tied for name in (each.identity, each.encounter) if name}
    return near, frozenset(names).union(*(each.links for each in tied))


def shifted_day(day: date | None, by: int) -> date | None:
    """A day some days later, the day itself at the ends of the calendar; None for None."""
    if day is None or not date.min.toordinal() <= day.toordinal() + by <= date.max.toordinal():
        return day
    return day + timedelta(days=by)


def unclear_of(record: Record, concept: Concept, kind: str) -> Unclear:
    """The fault of a record's code, in words that a person can act on."""
    code = unknown_code(concept)
    if code is None:
        lacks = "has a text and no code" if concept.words else "has no code"
        return Unclear((record,), lacks, f"{_KIND_NAMES[kind]} {lacks}", kind, "")
    if code.system == REFERENCE:
        is_patient = _PATIENT.match(code.value)
        named = "a reference to a patient" if is_patient else _quoted(code.value, "a reference")
        what, topic = f"refers to {named}, which was not sent", f"{named} was not sent"
        return Unclear((record,), what, topic, kind, REFERENCE, (code,))
    if kind == "charge" and code.system in _SYSTEM_NAMES and not concept.values(BILLING):
        name = _SYSTEM_NAMES[code.system]
        topic = f"a charge carries a code ({name}) and no CPT or HCPCS code"
        what = f"carries {_quoted(code.value, f'a code ({name})', f'{name} ')} and no CPT or HCPCS code"
        return Unclear((record,), what, topic, kind, code.system, (code,))
    state = "not known" if code.system in _SYSTEM_NAMES else "not mapped"
    system = _SYSTEM_NAMES.get(code.system) or _quoted(code.system, "a code system")
    of = f"of {system}" if code.system else "without a code system"
    topic = f"{_KIND_NAMES[kind]} carries a code {of} that is {state}"
    what = f"carries {_quoted(code.value, 'a code', 'code ')} {of}, which is {state}"
    return Unclear((record,), what, topic, kind, code.system, (code,))


# A patient's id is patient data, which no text repeats, wherever it was put.
_PATIENT = re.compile(r"(?:.*/)?(?:Patient|RelatedPerson)/")


def _quoted(written: str, otherwise: str, before: str = "") -> str:
    """A code, system or reference as written; in other words if it has spaces or is long, since it may be free text."""
    return f"{before}{written}" if _TOKEN.fullmatch(written) else otherwise


def unclear_payers(case: Case) -> list[Unclear]:
    """The coverages whose payer is not understood: not sent, or without a type and a payor's name."""
    found = []
    for written, line in unresolved_coverages(case).items():
        topic = f"{_short(written)} was not sent"
        what = f"names {_short(written)}, which was not sent"
        codes = (Code(REFERENCE, written),)
        found.append(Unclear((line,), what, topic, "payer", REFERENCE, codes))
    for each in unnamed_coverages(case):
        what = "states neither a type of plan nor a payor's name"
        found.append(Unclear((each,), what, f"a coverage {what}", "payer", ""))
    return found


def _short(written: str) -> str:
    """A reference to a coverage; an identifier may be a member's number, which no text repeats."""
    is_reference = written.startswith(("Coverage/", "#", "urn:uuid:"))
    return _quoted(written, "a coverage") if is_reference else "a coverage by identifier"


def unclear_units(line: Line) -> Unclear:
    """The fault of a line with units in an unknown form."""
    return Unclear(
        (line,), "states units in a form that was not understood", "units were not understood", "units", "units"
    )


def unclear_modifiers(line: Line) -> Unclear:
    """The fault of a line with a modifier in an unknown form."""
    what = "carries a modifier in a form that was not understood"
    return Unclear((line,), what, "a modifier was not understood", "modifier", MODIFIER)


def _together(found: Iterable[Unclear]) -> Iterator[Unclear]:
    same: dict[tuple[str, str], list[Unclear]] = {}
    for each in found:
        same.setdefault((each.kind, each.topic), []).append(each)
    for group in same.values():
        first = group[0]
        records = tuple(dict.fromkeys(record for each in group for record in each.records))
        yield replace(first, records=records, codes=tuple(code for each in group for code in each.codes))
