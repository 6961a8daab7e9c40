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
from cds_service.languages.worded import Worded, joined, worded
from hooks.coding.lines import days_under_review, relevant_lines
from hooks.coding.setting_and_payer import unnamed_coverages, unresolved_coverages
from hooks.coding.studies import records_of_echo, studies
from hooks.coding.study_codes import names_study
from hooks.coding.understood import Kind, is_charge_understood, is_understood, unknown_code

_KIND_NAMES = {
    "charge": worded("a charge"),
    "drug": worded("an administration"),
    "procedure": worded("a procedure"),
    "material": worded("a material used"),
    "order": worded("an order"),
    "diagnosis": worded("a diagnosis"),
}
_TOKEN = re.compile(r"[^\s<>\"'`]{1,200}")
_SYSTEM_NAMES = SYSTEM_NAMES | {REVENUE: worded("revenue code")}


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


def may_be_near(record: Record, day: date) -> bool:
    """True of a record of a day, of the day before or after (another time zone), or of one not known that may be it."""
    return record.day in {shifted_day(day, by) for by in (-1, 0, 1)} if record.day else record.may_be_of(day)


def unclear_of(record: Record, concept: Concept, kind: str) -> Unclear:
    """The fault of a record's code, in words that a person can act on."""
    code = unknown_code(concept)
    if code is None:
        return _without_code(record, concept, kind)
    if code.system == REFERENCE:
        return _not_sent(record, code, kind)
    if kind == "charge" and code.system in _SYSTEM_NAMES and not concept.values(BILLING):
        return _without_billing_code(record, code, kind)
    what, topic = _of_system(code, _KIND_NAMES[kind])
    return Unclear((record,), what, topic, kind, code.system, (code,))


def _without_code(record: Record, concept: Concept, kind: str) -> Unclear:
    named = _KIND_NAMES[kind]
    if concept.words:
        what, topic = worded("has a text and no code"), worded("{kind} has a text and no code", kind=named)
    else:
        what, topic = worded("has no code"), worded("{kind} has no code", kind=named)
    return Unclear((record,), what, topic, kind, "")


def _not_sent(record: Record, code: Code, kind: str) -> Unclear:
    is_patient = _PATIENT.match(code.value)
    named = worded("a reference to a patient") if is_patient else _quoted(code.value, worded("a reference"))
    what = worded("refers to {reference}, which was not sent", reference=named)
    topic = worded("{reference} was not sent", reference=named)
    return Unclear((record,), what, topic, kind, REFERENCE, (code,))


def _without_billing_code(record: Record, code: Code, kind: str) -> Unclear:
    name = _SYSTEM_NAMES[code.system]
    topic = worded("a charge carries a code ({system}) and no CPT or HCPCS code", system=name)
    shown = joined(" ", (name, code.value)) if _is_token(code.value) else worded("a code ({system})", system=name)
    what = worded("carries {code} and no CPT or HCPCS code", code=shown)
    return Unclear((record,), what, topic, kind, code.system, (code,))


def _of_system(code: Code, kind: Worded) -> tuple[Worded, Worded]:
    """The fault of a code that is not known in its system, or not mapped: of a record, and of a kind of records."""
    shown = worded("code {code}", code=code.value) if _is_token(code.value) else worded("a code")
    if not code.system:
        return (
            worded("carries {code} without a code system, which is not mapped", code=shown),
            worded("{kind} carries a code without a code system that is not mapped", kind=kind),
        )
    if code.system in _SYSTEM_NAMES:
        system = _SYSTEM_NAMES[code.system]
        return (
            worded("carries {code} of {system}, which is not known", code=shown, system=system),
            worded("{kind} carries a code of {system} that is not known", kind=kind, system=system),
        )
    system = _quoted(code.system, worded("a code system"))
    return (
        worded("carries {code} of {system}, which is not mapped", code=shown, system=system),
        worded("{kind} carries a code of {system} that is not mapped", kind=kind, system=system),
    )


# A patient's id is patient data, which no text repeats, wherever it was put.
_PATIENT = re.compile(r"(?:.*/)?(?:Patient|RelatedPerson)/")


def _quoted(written: str, otherwise: str) -> str:
    """A code, system or reference as written; in other words if it has spaces or is long, since it may be free text."""
    return written if _is_token(written) else otherwise


def _is_token(written: str) -> bool:
    return _TOKEN.fullmatch(written) is not None


def unclear_payers(case: Case) -> list[Unclear]:
    """The coverages whose payer is not understood: not sent, or without a type and a payor's name."""
    found = []
    for written, line in unresolved_coverages(case).items():
        topic = worded("{reference} was not sent", reference=_short(written))
        what = worded("names {reference}, which was not sent", reference=_short(written))
        codes = (Code(REFERENCE, written),)
        found.append(Unclear((line,), what, topic, "payer", REFERENCE, codes))
    for each in unnamed_coverages(case):
        what = worded("states neither a type of plan nor a payor's name")
        topic = worded("a coverage states neither a type of plan nor a payor's name")
        found.append(Unclear((each,), what, topic, "payer", ""))
    return found


def it_may_be(unclear: Unclear, name: str) -> Worded:
    """The reason for another reading of what is unclear, by the name of that reading."""
    return worded("{record}: it may be {name}", record=unclear.words, name=name)


def _short(written: str) -> str:
    """A reference to a coverage; an identifier may be a member's number, which no text repeats."""
    is_reference = written.startswith(("Coverage/", "#", "urn:uuid:"))
    return _quoted(written, worded("a coverage")) if is_reference else worded("a coverage by identifier")


def unclear_units(line: Line) -> Unclear:
    """The fault of a line with units in an unknown form."""
    what = worded("states units in a form that was not understood")
    return Unclear((line,), what, worded("units were not understood"), "units", "units")


def unclear_modifiers(line: Line) -> Unclear:
    """The fault of a line with a modifier in an unknown form."""
    what = worded("carries a modifier in a form that was not understood")
    return Unclear((line,), what, worded("a modifier was not understood"), "modifier", MODIFIER)


def _together(found: Iterable[Unclear]) -> Iterator[Unclear]:
    same: dict[tuple[str, str], list[Unclear]] = {}
    for each in found:
        same.setdefault((each.kind, each.topic), []).append(each)
    for group in same.values():
        first = group[0]
        records = tuple(dict.fromkeys(record for each in group for record in each.records))
        yield replace(first, records=records, codes=tuple(code for each in group for code in each.codes))
