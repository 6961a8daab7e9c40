"""Makes a case in billers' notation of a case that was read from FHIR, and tells what it leaves out.

A case says what rules read of a record. Whatever the notation has no words for is listed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, count
from typing import Any

from msgspec import structs

from cds_service.core.case import Administration, Case, Coverage, Line, Order, Procedure, Record
from cds_service.core.concepts import BILLING, LOINC, NDC, RXNORM, SNOMED, Concept
from cds_service.core.notation import is_billing_code
from cds_service.intake.fields import LONGEST_PAYER, LONGEST_TEXT
from cds_service.intake.items import SYSTEM_FORMS
from cds_service.intake.typed import CLAIM_TYPES, NO_WORDS, ChargeLine, Entry, Given, Named, TypedCase, Words
from cds_service.languages.worded import Worded, worded

# The product that a concept names with certainty, by its name; empty if it names none.
ProductNames = Callable[[Concept], str]

# True of words that leave open, or deny, what the codes beside them order.
OpenWords = Callable[[str], bool]

_SYSTEMS = {NDC: "NDC", RXNORM: "RxNorm", SNOMED: "SNOMED", LOINC: "LOINC"}
_STATUS = {"not done": "not-done", "not given": "not-done", "unclear": "unknown"}
_SHORT = 5  # characters of a name that is kept as it is
_PREFIXES = {"Procedure": "P", "ServiceRequest": "O", "Encounter": "E", "Practitioner": "D"}
_KIND_OF_DOCUMENT = {
    "images": worded("imaging studies"),
    "condition": worded("conditions"),
    "document": worded("documents"),
    "report": worded("reports"),
}


@dataclass(frozen=True, slots=True)
class Described:
    """A case in billers' notation, and the things that it leaves out, each named once."""

    case: TypedCase
    left_out: tuple[str, ...]


# Describes a case with what the rules know of products and words.
Describe = Callable[[Case], Described]


def described(case: Case, product_of: ProductNames, leaves_open: OpenWords) -> Described:
    """The notation of a case. `product_of` knows contrast products by their codes, `leaves_open` reads words."""
    return _Describer(case, product_of, leaves_open).described()


@dataclass(slots=True)
class _Describer:
    case: Case
    product_of: ProductNames
    leaves_open: OpenWords
    left_out: dict[Worded, None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    products: dict[tuple[str, str], str] = field(default_factory=dict)
    day: date | None = None

    def described(self) -> Described:
        case = self.case
        self.day = _most_common(_days(case))
        under_review, on_record = self._lines()
        claims = {claim_type: self._claim(claim_type, under_review) for claim_type in CLAIM_TYPES}
        every = TypedCase(
            hook="order" if case.stage == "order" else "",
            day=self.day.isoformat() if self.day else "",
            place=self._only(
                worded("other places of service"), (line.place_of_service for line in under_review if line.claim)
            ),
            payer=self._payer(),
            bill=self._bill(under_review),
            diagnoses=self._claim_diagnoses(under_review),
            lines=tuple(self._charge(line) for line in under_review if not line.claim),
            professional=claims["professional"],
            institutional=claims["institutional"],
            earlier=tuple(self._charge(line) for line in on_record),
            given=tuple(self._given(each) for each in case.administrations if self._is_told(each)),
            done=tuple(self._done(each) for each in case.procedures if self._is_told(each)),
            ordered=tuple(self._ordered(each) for each in case.orders if self._is_told(each)),
            observed=tuple(
                Entry(names=self._names(each.concept), words=self._words(each, Procedure="target"))
                for each in case.observations
                if self._is_told(each)
            ),
            reported=tuple(self._reports()),
        )
        missing = tuple(
            part
            for part in ("procedures", "medicationAdministrations", "chargeItems", "coverages", "observations")
            if part in case.complete and part not in every.complete
        )
        return Described(structs.replace(_without_unused_names(every), known=missing), tuple(self.left_out))

    def omit(self, thing: Worded) -> None:
        self.left_out[thing] = None

    def _omit_of(self, record: Record, what: Worded) -> None:
        self.omit(_of(record.origin.reference or worded("a record"), what))

    def _is_told(self, record: Any) -> bool:
        """True if the record names something that the notation can say."""
        if self._names(record.concept):
            return True
        self._omit_of(record, worded("no code that the notation can state"))
        return False

    # --- charges ----------------------------------------------------------------------------------------------------

    def _lines(self) -> tuple[list[Line], list[Line]]:
        """The lines under review, and those on record."""
        told: tuple[list[Line], list[Line]] = [], []
        claims: dict[str, str] = {}
        for line in self.case.lines:
            if self._is_product_of_line(line):
                continue
            if not is_billing_code(line.code):
                self._omit_of(line, worded("a charge without a billing code"))
            elif line.claim and line.claim_type == "unknown":
                self._omit_of(line, worded("a claim of unknown type"))
            elif line.claim and claims.setdefault(line.claim_type, line.claim) != line.claim:
                is_professional = line.claim_type == "professional"
                second = (
                    worded("a second professional claim") if is_professional else worded("a second institutional claim")
                )
                self._omit_of(line, second)
            elif line.claim and not line.under_review:
                self._omit_of(line, worded("a claim on record"))
            else:
                told[0 if line.under_review else 1].append(line)
                self._notice_line(line)
        return told

    def _is_product_of_line(self, line: Line) -> bool:
        """True for a detail of a claim line that states the line's product by its NDC, which is kept for the line."""
        outer, is_detail, _ = line.origin.within.partition(".detail[")
        product = next((code for code in line.concept.values(NDC) if SYSTEM_FORMS["NDC"].fullmatch(code)), "")
        if line.code or not is_detail or not product:
            return False
        self.products[line.origin.resource, outer] = product
        return True

    def _notice_line(self, line: Line) -> None:
        for is_there, what in (
            (line.unclear_modifiers, worded("modifiers in an unknown form")),
            (line.units_unclear, worded("units in an unknown form")),
            (not line.open, worded("status: billed, which cannot be changed")),
            (len(line.performers) > 1, worded("several practitioners of a line")),
        ):
            if is_there:
                self._omit_of(line, what)

    def _claim(self, claim_type: str, lines: Iterable[Line]) -> tuple[ChargeLine, ...]:
        return tuple(self._charge(line) for line in lines if line.claim and line.claim_type == claim_type)

    def _charge(self, line: Line) -> ChargeLine:
        words = self._words(line, Procedure="target")
        diagnoses = tuple(each.code for each in line.diagnoses if each.code)
        is_whole_claim = line.claim and line.diagnoses == line.claim_diagnoses
        product = next((code for code in line.concept.values(NDC) if SYSTEM_FORMS["NDC"].fullmatch(code)), "")
        product = product or self.products.get((line.origin.resource, line.origin.within), "")
        is_unbilled = not line.claim and not line.billable
        words = structs.replace(
            words,
            by=self._practitioner(line),
            ndc=product,
            dx=() if is_whole_claim else diagnoses,
            bare=not line.certain,
            status=("planned" if line.open else "billed") if is_unbilled else "",
        )
        return ChargeLine(code=line.code, modifiers=line.modifiers, units=line.units, words=words)

    def _claim_diagnoses(self, lines: Iterable[Line]) -> tuple[str, ...]:
        of_claims = [each for line in lines if line.claim for each in line.claim_diagnoses]
        for each in of_claims:
            if not each.code:
                self.omit(_of(each.reference, worded("a diagnosis without an ICD-10-CM code")))
        named = {
            each.code
            for line in lines
            if line.claim and line.diagnoses != line.claim_diagnoses
            for each in line.diagnoses
        }
        return tuple(dict.fromkeys(each.code for each in of_claims if each.code and each.code not in named))

    def _bill(self, lines: Iterable[Line]) -> str:
        found = self._only(worded("other types of bill"), (line.bill_type for line in lines if line.claim))
        return f"{found}1" if len(found) == 2 else found  # the frequency code is not read: 1, an original claim

    def _only(self, others: Worded, values: Iterable[str | None]) -> str:
        """The first of some values; of several, the others are left out."""
        found = list(dict.fromkeys(each for each in values if each))
        if len(found) > 1:
            self.omit(others)
        return found[0] if found else ""

    def _payer(self) -> str:
        coverages = self._coverages()
        named = [each for each in map(_payer_of, coverages) if each]
        names = named or list(dict.fromkeys(name for line in self.case.lines for name in line.payer_names))
        if len(names) > 1 or len(coverages) < len(self.case.coverages):
            self.omit(worded("other coverages than the first"))
        return names[0] if names else ""

    def _coverages(self) -> list[Coverage]:
        """The coverages, those of the claims first, and then in their order those that may be in force."""
        used = {reference for line in self.case.lines for reference in line.coverages}
        every = sorted(self.case.coverages, key=lambda each: (each.identity not in used, each.order or 0))
        return [each for each in every if each.identity in used or each.term.covers(self.day) is not False]

    # --- the record -------------------------------------------------------------------------------------------------

    def _given(self, given: Administration) -> Given:
        if given.parts:
            self._omit_of(given, worded("the parts of a mixture"))
        amount, unit = (given.ml, "mL") if given.ml is not None else (given.mg, "mg")
        words = structs.replace(self._words(given, Procedure="target"), status=_STATUS.get(given.status, ""))
        return Given(
            names=self._names(given.concept),
            dose=amount,
            unit=unit if amount is not None else "",
            discarded=given.discarded_ml,
            words=words,
        )

    def _done(self, done: Procedure) -> Entry:
        for values, what in (
            (done.used, worded("materials used")),
            (done.notes, worded("notes")),
            (done.reports, worded("links to reports")),
        ):
            if values:
                self._omit_of(done, what)
        words = structs.replace(
            self._words(done, ServiceRequest="target"),
            status=_STATUS.get(done.status, ""),
            by=self._practitioner(done),
            dx=self._reasons(done),
        )
        return Entry(names=self._names(done.concept), words=words)

    def _ordered(self, ordered: Order) -> Entry:
        words = self._words(ordered)
        if ordered.kind == "service":
            words = structs.replace(words, dx=self._reasons(ordered))
            if ordered.planned and words.on:
                words = structs.replace(words, on="", planned=words.on)
            elif ordered.planned and ordered.day:
                words = structs.replace(words, planned=ordered.day.isoformat())
        names = self._names(ordered.concept)
        if all(each.system != "words" for each in names):
            names = (*names, *self._open_words(ordered))
        return Entry(names=names, words=words)

    def _open_words(self, ordered: Order) -> Iterator[Named]:
        """The words beside the codes of an order, where they leave open what the codes say."""
        text = _text_of(filter(self.leaves_open, ordered.concept.words)) or ("if needed" if ordered.if_needed else "")
        if text:
            yield Named("words", text)

    def _reasons(self, record: Procedure | Order) -> tuple[str, ...]:
        codes = tuple(dict.fromkeys(each.code for each in record.diagnoses if each.code))
        if len(record.reasons) > len(codes):
            self._omit_of(record, worded("reasons in words"))
        return codes

    def _reports(self) -> Iterator[Entry]:
        for each in self.case.documents:
            text = _text_of(each.words)
            if each.kind == "report" and text:
                yield Entry(names=(Named("words", text),), words=self._words(each))
            else:
                self.omit(_KIND_OF_DOCUMENT[each.kind])

    # --- words ------------------------------------------------------------------------------------------------------

    def _words(self, record: Record, **targets: str) -> Words:
        """The words that every record may have; `targets` are the types of resources that `for` names."""
        if record.day is None:
            self._omit_of(record, worded("no date of service"))
        if record.utc_hour is not None:
            self._omit_of(record, worded("the hour of an instant in UTC"))
        if record.last_day is not None:
            self._omit_of(record, worded("the last day of a period"))
        linked = [each for each in sorted(record.links) if each.split("/")[0] in targets]
        if len(linked) > 1:
            self._omit_of(record, worded("links to several records"))
        return Words(
            on=record.day.isoformat() if record.day and record.day != self.day else "",
            target=self._name(linked[0]) if linked else "",
            name=self._name(record.identity) if record.identity and "#" not in record.identity else "",
            encounter=self._name(record.encounter) if record.encounter else "",
        )

    def _practitioner(self, record: Record) -> str:
        if len(record.performers) > 1:
            self._omit_of(record, worded("several practitioners"))
        return self._name(min(record.performers)) if record.performers else ""

    def _name(self, reference: str) -> str:
        """The name of a record: its id, or a short name in place of a long one."""
        if reference not in self.names:
            kind, _, written = reference.rpartition("/")
            prefix = _PREFIXES.get(kind.rpartition("/")[2], "R")
            numbered = (f"{prefix}{number}" for number in count(1))
            is_short = len(written) <= _SHORT and re.fullmatch(r"[A-Za-z0-9\-.]+", written, re.ASCII)
            taken = set(self.names.values())
            self.names[reference] = next(
                each for each in chain([written] if is_short else [], numbered) if each not in taken
            )
        return self.names[reference]

    def _names(self, concept: Concept) -> tuple[Named, ...]:
        """The names of a concept: its product or its codes, and its words only if it has neither."""
        if product := self.product_of(concept):
            return (Named("product", product),)
        found = [
            Named("code", code.value.upper()) if code.system == BILLING else Named(_SYSTEMS[code.system], code.value)
            for code in concept.codes
            if (code.system == BILLING and is_billing_code(code.value))
            or (code.system in _SYSTEMS and SYSTEM_FORMS[_SYSTEMS[code.system]].fullmatch(code.value))
        ]
        text = _text_of(concept.words)
        if len(found) < len(concept.codes):
            self.omit(worded("codes of a system or a form that the notation cannot state"))
        return tuple(dict.fromkeys(found)) or ((Named("words", text),) if text else ())


def _text_of(words: Iterable[str]) -> str:
    return " ".join(" ".join(words).replace('"', "'").split())[: LONGEST_TEXT // 2]


def _of(record: str, what: Worded) -> Worded:
    """A thing that a record says and the notation does not."""
    return worded("{record}: {what}", record=record, what=what)


def _payer_of(coverage: Coverage) -> str:
    names = (_text_of([name])[:LONGEST_PAYER].strip() for name in coverage.payors)
    name = next((each for each in names if each and each != "a plan" and not each.startswith("SOPT")), "")
    code = next((each.value for each in coverage.concept.codes if re.fullmatch(r"[0-9]{1,5}", each.value)), "")
    return " + ".join(each for each in (name.replace("+", " "), f"SOPT {code}" if code else "") if each)


def _days(case: Case) -> Iterator[date]:
    for records in (case.lines, case.procedures, case.administrations, case.orders, case.observations, case.documents):
        yield from (record.day for record in records if record.day)


def _most_common(days: Iterable[date]) -> date | None:
    """The most common day, of several the first."""
    found = list(days)
    return min(found, key=lambda day: (-found.count(day), day)) if found else None


def _without_unused_names(case: TypedCase) -> TypedCase:
    """The case without the names behind `as` to which no record refers, and without visits if all are of one."""
    keys = ("lines", "professional", "institutional", "earlier", "given", "done", "ordered", "observed", "reported")
    words = [each.words for key in keys for each in getattr(case, key)]
    used = {each.target for each in words}
    is_one_visit = len({each.encounter for each in words if each.encounter}) <= 1

    def kept(item: Any) -> Any:
        name = item.words.name if item.words.name in used else ""
        encounter = "" if is_one_visit else item.words.encounter
        chosen = structs.replace(item.words, name=name, encounter=encounter)
        return structs.replace(item, words=chosen if chosen != NO_WORDS else NO_WORDS)

    return structs.replace(case, **{key: tuple(map(kept, getattr(case, key))) for key in keys})
