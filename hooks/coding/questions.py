"""Questions to a person where the case leaves a rule undecided, with the answers that decide.

An answer sets keys of billers' notation (`payer`, `place`, `claim_type`, `day`, `given`, `lines`, `diagnoses`); a value
of None is for the person to enter.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from cds_service.core.case import Case, Line
from cds_service.core.notation import counted_units, notation
from cds_service.core.rules import Answer, Question, Undecided
from cds_service.languages.worded import name, worded
from hooks.codes.tables import PRODUCTS
from hooks.coding.claims import charge_evidence
from hooks.coding.lines import days_under_review
from hooks.coding.passing import codes_of
from hooks.coding.products import BY_SUPPLY_CODE, UNSPECIFIED
from hooks.coding.waste import DISCARDED, NOTHING_DISCARDED

MEDICARE = Answer(worded("Medicare (fee for service)"), {"payer": "Medicare"})
ANOTHER_PAYER = Answer(worded("Another payer"), {"payer": "Commercial"})

WHO_PAYS = Question(worded("Who pays?"), (MEDICARE, ANOTHER_PAYER))
WHERE = Question(
    worded("Where was it done?"),
    (
        Answer(worded("In the practice's office"), {"claim_type": "professional", "place": "11"}),
        Answer(worded("In a hospital: the practitioner's claim"), {"claim_type": "professional", "place": "22"}),
        Answer(worded("In a hospital outpatient department: the hospital's claim"), {"claim_type": "institutional"}),
    ),
)
WHOSE_CLAIM = Question(
    worded("Whose claim is it?"),
    (
        Answer(worded("The practitioner's"), {"claim_type": "professional"}),
        Answer(worded("The hospital's"), {"claim_type": "institutional"}),
    ),
)
WHEN = Question(worded("When was it done?"), (Answer(worded("Enter the date of service"), {"day": None}),))
WHICH_DIAGNOSES = Question(
    worded("What are the diagnoses?"), (Answer(worded("Enter them (ICD-10-CM)"), {"diagnoses": None}),)
)

NONE_GIVEN = "status not-done"


def not_in_tables(reason: str, lines: Sequence[Line]) -> Undecided:
    """An open question, since no table answers for the day of the lines or since a line has no day."""
    undated = [line for line in lines if line.day is None]
    if undated:
        undecided = worded("the date of service of {codes} is not stated", codes=codes_of(undated))
        return Undecided("claim", undecided, charge_evidence(lines), WHEN)
    return Undecided("table", reason, charge_evidence(lines))


def whose_claim(lines: Iterable[Line]) -> Question | None:
    """Asks for the claim type, if it is not known of all lines and none is on a claim."""
    every = tuple(lines)
    return WHOSE_CLAIM if all(line.claim_type == "unknown" and not line.claim for line in every) else None


def product_of(code: str) -> str:
    """The name of a supply code's product: `Definity`."""
    return BY_SUPPLY_CODE[code].name


def which_agent(codes: Iterable[str], day: date | None, case: Case) -> Question:
    """Asks for the agent given on a day, of the products with these supply codes."""
    products = [product_of(code) for code in sorted(codes) if code != UNSPECIFIED]
    return Question(
        worded("Which agent was given?"),
        tuple(Answer(name(each), {"given": (each + _on(day, case),)}) for each in products),
    )


def _on(day: date | None, case: Case) -> str:
    """The day in the notation, where the lines under review are of several."""
    is_plain = len(days_under_review(case)) < 2
    return "" if is_plain or day is None else f" on {day.isoformat()}"


def was_contrast_given(day: date | None, case: Case) -> Question:
    """Asks for contrast on a day: an agent, or none."""
    products = list(dict.fromkeys(product.name for product in PRODUCTS if not product.discontinued))
    on = _on(day, case)
    given = tuple(Answer(worded("{product} was given", product=each), {"given": (each + on,)}) for each in products)
    nothing = Answer(worded("None was given"), {"given": (f"{products[0]} {NONE_GIVEN}{on}",)})
    return Question(worded("Was contrast given?"), (*given, nothing))


def how_much(what: str, unit: str = "mL") -> Question:
    """Asks for the dose of a product or drug."""
    return Question(
        worded("How many {unit} of {product} were given?", unit=unit, product=what),
        (Answer(worded("Enter the {unit} given", unit=unit), {"given": None}),),
    )


def was_any_discarded(unmarked: Collection[Line], left: Decimal | None, case: Case) -> Question | None:
    """Asks if a part of the vial was discarded, for supply lines with neither JW nor JZ.

    `left` is the amount left in HCPCS units, None if not known: then a person enters it. None if the lines of the claim
    cannot be written as codes, modifiers and units alone.
    """
    claim = next(iter(unmarked)).claim
    lines = [line for line in case.lines.under_review() if line.claim == claim]
    if not all(map(_is_plain, lines)) or len({line.day for line in lines}) > 1:
        return None
    nothing = tuple(str(_with(NOTHING_DISCARDED, line) if line in unmarked else line) for line in lines)
    some = None
    if left is not None:
        first = next(iter(unmarked))
        some = (*map(str, lines), notation(first.code, (*first.modifiers, DISCARDED), left))
    label = worded("Some was: enter its units with JW")
    if left is not None:
        label = worded("Some was: {units}", units=counted_units(left))
    return Question(
        worded("Was anything discarded?"),
        (Answer(worded("Nothing was discarded"), {"lines": nothing}), Answer(label, {"lines": some})),
    )


def _with(modifier: str, line: Line) -> Line:
    return replace(line, modifiers=(*line.modifiers, modifier))


def _is_plain(line: Line) -> bool:
    """True if the line says nothing but its code, modifiers and units."""
    return bool(line.code) and line.certain and not (line.performers or line.links or line.diagnoses)
