"""Alternative readings of records that were not understood: each reading that matters to a rule about echoes.

`understood.py` says which records these are, `unclear.py` finds them. Readings change one kind of record at a time,
each beside the readings of `whole_case.py`. Of unclear records that differ in nothing but their code only one is read,
so that the number of readings does not grow with the case.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from itertools import chain, product
from typing import Any

from msgspec.structs import asdict, replace

from cds_service.core.alternatives import UNPARSED, Alternative, Asked, Readings, reading
from cds_service.core.case import (
    ANY_DIAGNOSIS,
    Administration,
    Case,
    Diagnosis,
    Line,
    Order,
    Origin,
    Procedure,
    Record,
    RecordT,
    cached_fact,
)
from cds_service.core.concepts import BILLING, NDC, NO_SYSTEM, RXNORM, Code, Concept
from cds_service.core.notation import codes_without_modifiers
from cds_service.languages.worded import worded
from hooks.codes.tables import ADD_ONS, DOCUMENTATION, MODIFIERS, PRODUCTS, STUDIES
from hooks.coding.claims import DISTINCT_SERVICE
from hooks.coding.lines import relevant_lines
from hooks.coding.products import agent_in, name_of
from hooks.coding.setting_and_payer import COMPONENT_MODIFIERS
from hooks.coding.stress_drugs import is_stress_drug
from hooks.coding.studies import records_of_echo
from hooks.coding.unclear import (
    it_may_be,
    procedures_with_unclear_use,
    records_with_unclear_diagnosis,
    unclear_administrations,
    unclear_diagnosis,
    unclear_lines,
    unclear_modifiers,
    unclear_of,
    unclear_orders,
    unclear_payers,
    unclear_procedures,
    unclear_records,
    unclear_units,
    without_other_studies,
)
from hooks.coding.understood import MODIFIER_LENGTH, is_understood
from hooks.coding.whole_case import beside, of_whole_case

_STUDY_CODES = tuple(dict.fromkeys(entry.code for entry in STUDIES if entry.system == BILLING))
_MODIFIERS_THAT_MATTER = (*COMPONENT_MODIFIERS, *(entry.code for entry in MODIFIERS), *sorted(DISTINCT_SERVICE))
# An echo of any kind with contrast.
_CONTRAST_ECHO = Concept(
    tuple(Code(each.system, each.code) for each in STUDIES if each.contrast and each.kind == "any" and not each.add_on)
)
_UNITS_THAT_MATTER = tuple(map(Decimal, (1, 2, 3, 4, 5, 10)))  # around the doses and vials of every product
_MOST_PERSONS = 8
_STRESS_DRUGS = tuple(dict.fromkeys(code for item in DOCUMENTATION for code in item.rxnorm))


# --- readings -------------------------------------------------------------------------------------------------------


def alternatives(case: Case, asked: Asked) -> Iterator[Alternative]:
    """The other readings of a case that matter to a rule."""
    yield from _of_records(case, asked)
    for whole in of_whole_case(case):
        yield whole
        yield from (beside(each, whole) for each in _of_records(whole.case, asked))


def _of_records(case: Case, asked: Asked) -> Iterator[Alternative]:
    yield from _charges(case, asked.codes)
    yield from _drugs(case)
    yield from _named_drugs(case)
    yield from _procedures(case, asked.codes)
    yield from _materials(case)
    yield from _orders(case, asked.codes)
    yield from _modifiers(case)
    yield from _units(case, asked.units)
    yield from _diagnoses(case)
    yield from _roles(case)
    yield from _unparsed(case)


READINGS = Readings(unclear_records, alternatives, if_it_matters=lambda case: tuple(unclear_payers(case)))


def _may_be(kind: str, name: str) -> Callable[[Any], str]:
    """The reason for a record of a kind and the name of its other reading."""
    return lambda record: it_may_be(unclear_of(record, record.concept, kind), name)


def _distinct(records: Iterable[RecordT]) -> list[RecordT]:
    """Of records that differ only in code, dose and origin, the first."""
    first: dict[Any, RecordT] = {}
    for each in records:
        first.setdefault(_all_but_code(each), each)
    return list(first.values())


_OF_ONE_RECORD = frozenset({"origin", "identity", "concept", "code", "certain", "units", "ml", "reasons", "notes"})


def _all_but_code(record: Record) -> tuple[Any, ...]:
    return tuple(value for name, value in asdict(record).items() if name not in _OF_ONE_RECORD)


def _billing(code: str) -> Concept:
    return Concept((Code(BILLING, code),))


def _charges(case: Case, codes: tuple[str, ...]) -> Iterator[Alternative]:
    yield from _products(case)
    every = tuple(line for line in unclear_lines(case) if not _product_alone(line))
    if not every:
        return
    distinct, by_value = _distinct(every), _by_value(every)
    studies = [*_STUDY_CODES, *(entry.code for entry in ADD_ONS), *(each.code for each in PRODUCTS)]
    for code in dict.fromkeys([*codes, *studies]):
        lines = _distinct([*by_value.get(code, ()), *distinct])
        yield reading(case, lines, partial(_line_as, code, ()), _may_be("charge", code))
    for code, modifier in product(_STUDY_CODES, COMPONENT_MODIFIERS):
        lines = _distinct([*by_value.get(code, ()), *distinct])
        read = partial(_line_as, code, (modifier,))
        yield reading(case, lines, read, _may_be("charge", f"{code}-{modifier}"))


def _by_value(lines: tuple[Line, ...]) -> dict[str, list[Line]]:
    """Lines by the values of their codes: under a system that is not known, a code may still be what it seems."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        for code in line.concept.codes:
            found.setdefault(code.value[:5].upper(), []).append(line)
    return found


def _products(case: Case) -> Iterator[Alternative]:
    """Charges of an agent by NDC or RxNorm, as its supply: nothing else is charged by product."""
    unclear = [(line, _product_alone(line)) for line in unclear_lines(case)]
    for code in sorted({code for _, codes in unclear for code in codes}):
        lines = _distinct(line for line, codes in unclear if code in codes)
        yield reading(case, lines, partial(_line_as, code, ()), _may_be("charge", code))


def _product_alone(line: Line) -> frozenset[str]:
    """The supply codes of the agent that a line names by its product; empty if it has another code, or no agent."""
    coded = [code for code in line.concept.codes if code.system != NO_SYSTEM or len(code.value) > MODIFIER_LENGTH]
    agent = agent_in(line.concept) if all(code.system in {NDC, RXNORM} for code in coded) else None
    return agent.codes if agent and agent.certain else frozenset()


def _line_as(code: str, modifiers: tuple[str, ...], line: Line) -> Line:
    return replace(line, code=code, certain=True, concept=_billing(code), modifiers=(*line.modifiers, *modifiers))


def _drugs(case: Case) -> Iterator[Alternative]:
    unclear = unclear_administrations(case)
    for name, concept in (*_drugs_that_matter(), *_charged_stress_drugs(case)) if unclear else ():
        yield reading(case, unclear, partial(_as, concept), _may_be("drug", name))


def _charged_stress_drugs(case: Case) -> Iterator[tuple[str, Concept]]:
    for code in dict.fromkeys(line.code for line in case.lines.matching(_is_of_stress_drug)):
        yield worded("the drug charged as {code}", code=code), _billing(code)


def _is_of_stress_drug(charged: Concept) -> bool:
    return any(map(is_stress_drug, codes_without_modifiers(charged.values(BILLING))))


def _named_drugs(case: Case) -> Iterator[Alternative]:
    """Agents that only free text names, as named by code."""
    for given in _administrations_named_in_text(case):
        agent = agent_in(given.concept)
        for code in sorted(agent.codes) if agent else ():
            yield reading(case, [given], partial(_as, _billing(code)), partial(_named_may_be, code))


def _named_may_be(code: str, given: Administration) -> str:
    return worded(
        "{record} names its drug in free text only: it may be {name}",
        record=given.origin.reference,
        name=name_of(code),
    )


@cached_fact
def _administrations_named_in_text(case: Case) -> tuple[Administration, ...]:
    return tuple(case.administrations.matching(_is_named_in_text))


def _is_named_in_text(drug: Concept) -> bool:
    agent = agent_in(drug)
    return agent is not None and not agent.certain


def _as(concept: Concept, record: Any) -> Any:
    """The record with other codes; its texts stay."""
    return replace(record, concept=Concept(concept.codes, record.concept.words))


def _drugs_that_matter() -> Iterator[tuple[str, Concept]]:
    """Each agent by its supply code, then the drugs of a stress protocol."""
    for code in dict.fromkeys(each.code for each in PRODUCTS):
        yield name_of(code), _billing(code)
    yield from ((worded("a drug for stress"), Concept((Code(RXNORM, code),))) for code in _STRESS_DRUGS[:1])


def _procedures(case: Case, codes: tuple[str, ...]) -> Iterator[Alternative]:
    unclear = _distinct(without_other_studies(unclear_procedures(case), case))
    for concept in _studies(codes) if unclear else ():
        yield reading(case, unclear, partial(_as, concept), _may_be("procedure", _named(concept)))
    for name, concept in _drugs_that_matter() if unclear else ():
        yield reading(
            case, unclear, partial(_as, concept), _may_be("procedure", worded("the giving of {name}", name=name))
        )


def _studies(codes: tuple[str, ...]) -> Iterator[Concept]:
    """Each code of the study table, those that matter to the rule first."""
    entries = sorted(STUDIES, key=lambda entry: entry.code not in codes)
    yield from dict.fromkeys(Concept((Code(entry.system, entry.code),)) for entry in entries)


def _named(concept: Concept) -> str:
    code = concept.codes[0]
    if code.system == BILLING:
        return code.value
    return worded("an echo (code {code} of {system})", code=code.value, system=code.system)


def _materials(case: Case) -> Iterator[Alternative]:
    unclear = procedures_with_unclear_use(case)
    for name, concept in _drugs_that_matter() if unclear else ():
        reason = partial(_used_may_be, case, name)
        yield reading(case, unclear, partial(_with_used, concept), reason)


def _used_may_be(case: Case, name: str, procedure: Procedure) -> str:
    used = next(each for each in procedure.used if not is_understood("drug", each, case))
    return it_may_be(unclear_of(procedure, used, "material"), name)


def _with_used(concept: Concept, procedure: Procedure) -> Procedure:
    return replace(procedure, used=(*procedure.used, concept))


def _orders(case: Case, codes: tuple[str, ...]) -> Iterator[Alternative]:
    for kind, readings in (("service", _studies(codes)), ("medication", (each for _, each in _drugs_that_matter()))):
        unclear = _distinct(each for each in unclear_orders(case) if each.kind == kind)
        for concept in readings if unclear else ():
            yield reading(case, unclear, partial(_as, concept), _may_be("order", _named(concept)))


def _modifiers(case: Case) -> Iterator[Alternative]:
    unclear = [line for line in relevant_lines(case) if line.unclear_modifiers]
    for modifier in _MODIFIERS_THAT_MATTER if unclear else ():
        yield reading(case, unclear, partial(_with_modifier, modifier), partial(_modifier_may_be, modifier))


def _units(case: Case, asked: tuple[Decimal, ...]) -> Iterator[Alternative]:
    unclear = [line for line in relevant_lines(case) if line.units_unclear]
    for units in dict.fromkeys([*_asked_of(unclear, case, asked), *_UNITS_THAT_MATTER]) if unclear else ():
        yield reading(case, unclear, partial(_with_units, units), partial(_units_may_be, units))


def _asked_of(unclear: list[Line], case: Case, asked: tuple[Decimal, ...]) -> Iterator[Decimal]:
    """The units that a finding asks for, and what is left of them beside the other lines of the code."""
    codes = {line.code for line in unclear}
    stated = [line for line in relevant_lines(case) if line.code in codes and not line.units_unclear]
    charged = {code: sum(line.units or Decimal(1) for line in stated if line.code == code) for code in sorted(codes)}
    for units in asked:
        yield units
        yield from (units - others for others in charged.values() if others < units)


def _units_may_be(units: Decimal, line: Line) -> str:
    return worded("{record}: they may be {units}", record=unclear_units(line).words, units=units)


def _with_units(units: Decimal, line: Line) -> Line:
    return replace(line, units=units)


def _modifier_may_be(modifier: str, line: Line) -> str:
    return it_may_be(unclear_modifiers(line), modifier)


def _with_modifier(modifier: str, line: Line) -> Line:
    return replace(line, modifiers=(*line.modifiers, modifier))


def _diagnoses(case: Case) -> Iterator[Alternative]:
    """All diagnoses that were not understood, as any."""
    if unclear := records_with_unclear_diagnosis(case):
        yield reading(case, unclear, _with_any_diagnosis, _diagnosis_may_be)


def _diagnosis_may_be(record: Line | Order | Procedure) -> str:
    stated = unclear_diagnosis(record)
    unclear = unclear_of(record, stated.concept if stated else Concept(), "diagnosis")
    return worded("{record}: it may be any diagnosis", record=unclear.words)


def _with_any_diagnosis(record: Line | Order | Procedure) -> Line | Order | Procedure:
    diagnoses = tuple(map(_as_any, record.diagnoses))
    if isinstance(record, Line):
        return replace(record, diagnoses=diagnoses, claim_diagnoses=tuple(map(_as_any, record.claim_diagnoses)))
    return replace(record, diagnoses=diagnoses)


def _as_any(stated: Diagnosis) -> Diagnosis:
    return stated if stated.code else replace(stated, code=ANY_DIAGNOSIS)


# --- records that could not be parsed -------------------------------------------------------------------------------


def _unparsed(case: Case) -> Iterator[Alternative]:
    """Administrations and procedures that could not be parsed, as showing contrast on any day of the case."""
    reason = worded("a record or charge that could not be parsed may show that contrast was given")
    origin = Origin("", UNPARSED)
    if "medicationAdministrations" in case.unreadable_parts:
        for _, concept in _drugs_that_matter():
            given = Administration(origin=origin, status="given", concept=concept)
            yield Alternative(reason, partial(_with_added, case, "administrations", given), why="record")
    if "procedures" in case.unreadable_parts:
        done = Procedure(origin=origin, status="done", concept=_CONTRAST_ECHO)
        yield Alternative(reason, partial(_with_added, case, "procedures", done), why="record")


def _with_added(case: Case, member: str, record: Record) -> Case:
    days = {each.day for each in (*case.lines, *case.procedures)}
    added = [replace(record, day=day, origin=Origin("", UNPARSED, str(number))) for number, day in enumerate(days)]
    return case.with_records(**{member: [*getattr(case, member), *added]})


# --- practitioners --------------------------------------------------------------------------------------------------


def _roles(case: Case) -> Iterator[Alternative]:
    """Practitioners named by role or identifier as persons of their own; as sent, they may be any practitioner."""
    named = chain(relevant_lines(case), (each for each in records_of_echo(case) if isinstance(each, Procedure)))
    unclear = [each for each in named if any(map(_names_no_person, each.performers))]
    if unclear:
        reason = worded(
            "{record} names its practitioner by a role or an identifier: it may be another practitioner",
            record=unclear[0].origin.reference,
        )
        for person in (None, *sorted(_named_persons(case))):
            make = partial(_with_persons, case, person)
            yield Alternative(reason, make, unclear[0])


def _named_persons(case: Case) -> set[str]:
    """The practitioners who charge; readings do not grow with a claim of many."""
    named = {each for line in relevant_lines(case) for each in line.performers if not _names_no_person(each)}
    return named if len(named) <= _MOST_PERSONS else set()


def _names_no_person(reference: str) -> bool:
    return not reference.startswith("Practitioner/")


def _with_persons(case: Case, person: str | None) -> Case:
    """The case with a practitioner for those not named in person; for None, each is a person of its own."""
    read = partial(_of_person, person)
    return case.with_records(lines=list(map(read, case.lines)), procedures=list(map(read, case.procedures)))


def _of_person(person: str | None, record: RecordT) -> RecordT:
    def named(each: str) -> str:
        return (person or f"Practitioner/{each}") if _names_no_person(each) else each

    return replace(record, performers=frozenset(map(named, record.performers)))
