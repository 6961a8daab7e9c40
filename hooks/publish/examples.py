"""Right and wrong claims for each code, written from the tables: two of each where there are two.

A test reviews them all: a right one has no finding, and a wrong one has a card of the rule that is named.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

from cds_service.core.notation import plain
from cds_service.languages.worded import Worded, worded
from cds_service.review.reference import ExampleClaim
from hooks.codes.tables import (
    ADD_ONS,
    CODES,
    CROSSWALK,
    OPPS,
    PAIRS,
    PC_TC,
    PRODUCTS,
    STRESS_DRUGS,
    STUDIES,
    UNIT_LIMITS,
    CodeEntry,
    Product,
    StressDrug,
)
from hooks.publish.claims import HOSPITAL, IN_HOSPITAL, OFFICE

_EACH = 2
_LATER = "2026-11-10"

Claim = tuple[Worded, str, str]  # what it shows, notation, rule; a right one has no rule

_AGENTS = tuple(product for product in PRODUCTS if product.units_per_vial and product.vial_ml)
_AGENT = _AGENTS[0]
_STRESS = tuple(
    study.code for study in STUDIES if study.system == "billing" and study.kind == "stress" and not study.contrast
)
_WHOLE = _STRESS[-1]
_ADD_ON = next(study.code for study in STUDIES if study.add_on and study.kind == "stress")
_REST = next(study.code for study in STUDIES if study.system == "billing" and study.kind == "rest")

_STUDIES = frozenset(each.code for each in PC_TC if each.indicator == 1) - {entry.code for entry in ADD_ONS}
_HOSPITAL_CODES = frozenset(entry.code for entry in CODES if entry.hospital)
_SETTINGS = (
    ("professional", "professional", OFFICE, _STUDIES),
    ("institutional", "facility", HOSPITAL, _STUDIES | _HOSPITAL_CODES),
)


def of(code: str) -> tuple[ExampleClaim, ...]:
    """The right claims with a code, then the wrong ones."""
    entry = CODES.history(code)[-1]
    right, wrong = _unique(_right(entry)), _unique(_wrong(entry))
    return tuple(
        ExampleClaim(right=not rule, what=what, notation=notation, rule=rule)
        for what, notation, rule in (*islice(right, _EACH), *islice(wrong, _EACH))
    )


def _unique(claims: Iterable[Claim]) -> Iterator[Claim]:
    seen = set()
    for claim in claims:
        if claim[1] not in seen:
            seen.add(claim[1])
            yield claim


# --- right ----------------------------------------------------------------------------------------------------------


def _right(entry: CodeEntry) -> Iterator[Claim]:
    code = entry.code
    for product in PRODUCTS.history(code):
        yield from _right_agent(product)
    for drug in STRESS_DRUGS.history(code):
        yield from _right_drug(drug)
    if entry.kind == "supply":
        yield from _right_before_its_code(code)
    elif code == _ADD_ON:
        for primary in _STRESS:
            yield (
                worded("With {code} and {product}, in an office", code=primary, product=_AGENT.name),
                _with_contrast(primary, _AGENT),
                "",
            )
    elif entry.hospital:
        for product in _AGENTS:
            yield worded("A hospital that gave {product}", product=product.name), _hospital_contrast(code, product), ""
    elif code in ADD_ONS:
        for primary in _primaries(code):
            yield worded("Beside {code} in an office", code=primary), f"professional: {primary}, {code}\n{OFFICE}", ""
    elif entry.kind != "drug":
        yield from _right_alone(code)


def _right_alone(code: str) -> Iterator[Claim]:
    """A study by itself; another service beside a study that it goes with, or on another day."""
    if not _is_study(code):
        yield from _right_beside(code)
        return
    yield worded("Alone, in an office"), f"professional: {code}\n{OFFICE}", ""
    yield worded("The practitioner's part in a hospital"), f"professional: {code}-26\n{IN_HOSPITAL}", ""
    yield worded("The hospital's claim"), f"institutional: {code}\n{HOSPITAL}", ""


def _right_beside(code: str) -> Iterator[Claim]:
    for study in _STRESS:
        if not _is_pair(study, code) and _limit(code, "professional") != 0:
            yield worded("Beside {code}", code=study), f"professional: {study}, {code}\n{OFFICE}", ""
    if _limit(code, "professional") != 0:
        yield worded("On another day than the study"), f"professional: {_WHOLE}, {code} on {_LATER}\n{OFFICE}", ""
    if not any(status.belongs_elsewhere for status in OPPS.history(code)):
        yield worded("A hospital, on another day"), f"institutional: {_WHOLE}, {code} on {_LATER}\n{HOSPITAL}", ""
    yield worded("Beside a rest echo of another day"), f"professional: {_REST}, {code} on {_LATER}\n{OFFICE}", ""


def _right_agent(product: Product) -> Iterator[Claim]:
    if product.discontinued:
        for other in _AGENTS:
            yield (
                worded("{product}, which was given in its place", product=other.name),
                _with_contrast(_WHOLE, other),
                "",
            )
    else:
        yield worded("A whole vial, in an office"), _with_contrast(_WHOLE, product), ""
        hospital = next(row.hospital_code for row in CROSSWALK.history(_WHOLE))
        yield worded("A hospital's claim"), _hospital_contrast(hospital, product), ""


def _right_before_its_code(code: str) -> Iterator[Claim]:
    """Days on which the unspecified code was right, for a product whose own code came later."""
    for entry in CODES:
        if entry.before == code and entry.first:
            year = entry.first.year - 1
            product = next(each for each in PRODUCTS.history(entry.code))
            for primary in _STRESS:
                lines = f"professional: {primary}, {_ADD_ON}, {code}\nplace: 11\npayer: Medicare\nday: {year}-11-03\n"
                yield (
                    worded("{code} with {product}, which had no code yet", code=primary, product=product.name),
                    f"{lines}{_given(product)}done: {primary}\n",
                    "",
                )


def _right_drug(drug: StressDrug) -> Iterator[Claim]:
    units = _drug_units(drug)
    given = f"given: {drug.code} {plain(units * drug.mg_per_unit)} mg\n"
    in_office = worded("An office that gave {drug}", drug=drug.name)
    in_hospital = worded("A hospital that gave {drug}", drug=drug.name)
    for what, lines in ((in_office, f"professional: {_WHOLE}"), (in_hospital, f"institutional: {_WHOLE}")):
        claim = OFFICE if lines.startswith("professional") else HOSPITAL
        yield (
            what,
            f"{lines}, {drug.code}x{plain(units)}\n{claim}{given}done: {_WHOLE}\n",
            "",
        )


def _drug_units(drug: StressDrug) -> Decimal:
    """A small number of units, below the limit."""
    return min(Decimal(4), _limit(drug.code, "professional") or Decimal(1))


# --- wrong ----------------------------------------------------------------------------------------------------------


def _wrong(entry: CodeEntry) -> Iterator[Claim]:
    code = entry.code
    for product in PRODUCTS.history(code):
        yield from _wrong_agent(product)
    for drug in STRESS_DRUGS.history(code):
        yield from _wrong_drug(drug)
    if entry.kind == "supply" and code not in PRODUCTS:
        yield from _wrong_unspecified(code)
    if code in ADD_ONS:
        yield from _wrong_add_on(code)
    if entry.hospital:
        yield worded("On a practice's claim"), f"professional: {code}\n{OFFICE}", "code-for-other-setting"
    elif code in CROSSWALK:
        lines = f"institutional: {code}, {_AGENT.code}x{plain(_units(_AGENT))}\n{HOSPITAL}"
        yield (
            worded("Contrast on a Medicare hospital's claim"),
            f"{lines}{_given(_AGENT)}done: {code}\n",
            "hospital-contrast-code",
        )
    if any(status.belongs_elsewhere for status in OPPS.history(code)) and code not in ADD_ONS:
        lines = f"institutional: {_WHOLE}, {code}\n{HOSPITAL}"
        yield worded("On a Medicare hospital's claim"), lines, "code-for-other-setting"
    yield from _wrong_pair(code)
    yield from _over_limit(code)


def _wrong_agent(product: Product) -> Iterator[Claim]:
    code, units = product.code, product.units_per_vial
    if product.discontinued:
        lines = f"professional: {_WHOLE}, {_ADD_ON}, {code}x1-JZ\n{OFFICE}"
        yield (
            worded("The product is discontinued"),
            f"{lines}given: {product.name} 1 mL\ndone: {_WHOLE}\n",
            "code-not-active",
        )
        yield (
            worded("{product} was given", product=_AGENT.name),
            f"{lines}{_given(_AGENT)}done: {_WHOLE}\n",
            "supply-agent-mismatch",
        )
    elif units:
        given = f"{OFFICE}{_given(product)}done: {_WHOLE}\n"
        lines = f"professional: {_WHOLE}, {_ADD_ON}, {code}x"
        yield worded("Neither JW nor JZ"), f"{lines}{plain(units)}\n{given}", "supply-waste-modifier"
        yield worded("Fewer units than mL"), f"{lines}{plain(units - 1)}-JZ\n{given}", "supply-units-mismatch"


def _wrong_unspecified(code: str) -> Iterator[Claim]:
    lines = f"professional: {_WHOLE}, {_ADD_ON}, {code}"
    given = f"{OFFICE}{_given(_AGENT)}done: {_WHOLE}\n"
    yield worded("{product} has a code of its own", product=_AGENT.name), f"{lines}\n{given}", "supply-unspecified"
    both = f"{lines}, {_AGENT.code}x{plain(_units(_AGENT))}-JZ\n{given}"
    yield worded("Two codes for one agent"), both, "supply-duplicate"


def _wrong_drug(drug: StressDrug) -> Iterator[Claim]:
    units = _drug_units(drug)
    given = f"given: {drug.code} {plain(units * drug.mg_per_unit)} mg\ndone: {_WHOLE}\n"
    over = f"professional: {_WHOLE}, {drug.code}x{plain(units + 1)}\n{OFFICE}{given}"
    yield worded("More units than were given"), over, "stress-drug-units"
    facility = f"professional: {_WHOLE}-26, {drug.code}x{plain(units)}\n{IN_HOSPITAL}{given}"
    yield worded("The hospital's drug on the practitioner's claim"), facility, "supply-not-owner"


def _wrong_add_on(code: str) -> Iterator[Claim]:
    agent = f", {_AGENT.code}x{plain(_units(_AGENT))}-JZ" if code == _ADD_ON else ""
    primaries = {primary for entry in ADD_ONS.history(code) for primary in entry.primaries}
    if _REST in primaries:
        yield worded("Without a primary"), f"professional: {code}\n{OFFICE}", "add-on-without-primary"
    else:
        yield (
            worded("Beside {code}, no primary of it", code=_REST),
            f"professional: {_REST}, {code}{agent}\n{OFFICE}",
            "add-on-without-primary",
        )
    if any(each.indicator == 0 for each in PC_TC.history(code)):
        primary = _primaries(code)[0]
        lines = f"professional: {primary}-26, {code}-26\n{IN_HOSPITAL}"
        yield worded("{modifier} on the add-on", modifier="26"), lines, "add-on-modifier"


def _wrong_pair(code: str) -> Iterator[Claim]:
    """Pairs with a study: first those that no modifier parts. An add-on stands beside a primary of its own."""
    for key, setting, end, studies in _SETTINGS[1:] if code in _HOSPITAL_CODES else _SETTINGS:
        fit = studies.intersection(_primaries(code)) if code in ADD_ONS else studies
        rows = [row for row in PAIRS if row.setting == setting]
        for never in (True, False):
            for row in rows:
                others = row.never if never else row.with_modifier
                known = next((each for each in others if each in fit), "")
                if row.code == code and known:
                    yield worded("{code} beside it", code=known), f"{key}: {code}, {known}\n{end}", "pair-conflict"
                elif code in others and row.code in fit:
                    yield worded("Beside {code}", code=row.code), f"{key}: {row.code}, {code}\n{end}", "pair-conflict"


def _over_limit(code: str) -> Iterator[Claim]:
    before = f"{_primaries(code)[0]}, " if code in ADD_ONS else "" if _is_study(code) else f"{_WHOLE}, "
    for key, setting, end, _ in _SETTINGS:
        limit = _limit(code, setting)
        if limit is not None:
            lines = f"{key}: {before}{code}x{plain(limit + 1)}\n{end}"
            yield worded("More units than Medicare pays"), lines, "units-over-limit"


# --- facts of the tables --------------------------------------------------------------------------------------------


def _is_study(code: str) -> bool:
    return code in _STUDIES


def _is_pair(one: str, other: str) -> bool:
    return any({row.code, code} == {one, other} for row in PAIRS for code in (*row.never, *row.with_modifier))


# --- parts of claims ------------------------------------------------------------------------------------------------


def _with_contrast(primary: str, product: Product) -> str:
    supply = f"{product.code}x{plain(_units(product))}-JZ"
    return f"professional: {primary}, {_ADD_ON}, {supply}\n{OFFICE}{_given(product)}done: {primary}\n"


def _hospital_contrast(code: str, product: Product) -> str:
    return f"institutional: {code}, {product.code}x{plain(_units(product))}\n{HOSPITAL}{_given(product)}done: {code}\n"


def _given(product: Product) -> str:
    """The whole vial was given: nothing is discarded that could be billed."""
    return f"given: {product.name} {plain(product.vial_ml or Decimal(0))} mL\n"


def _units(product: Product) -> Decimal:
    return product.units_per_vial or Decimal(0)


def _primaries(code: str) -> tuple[str, ...]:
    """The primaries of an add-on that are studies of ours, of its latest entry; stress echos first."""
    latest = ADD_ONS.history(code)[-1]
    known = [primary for primary in latest.primaries if primary in PC_TC]
    return tuple(sorted(known, key=lambda primary: primary not in _STRESS))


def _limit(code: str, setting: str) -> Decimal | None:
    return next((entry.units for entry in UNIT_LIMITS.history(code) if entry.setting == setting), None)
