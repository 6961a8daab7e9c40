"""Codes and modifiers in plain words for patients, from `codes/patient_words.yaml`, with facts of the other tables."""

from decimal import Decimal
from functools import cache

from cds_service.languages.messages import Message, Quantity, Value, placeholders
from cds_service.review.patient import PatientWords, PlainWords
from hooks.codes.tables import PATIENT_WORDS, PRODUCTS, STRESS_DRUGS, PatientSentence
from hooks.coding.products import is_supply

# A supply of a product is charged per mL (the units of `PRODUCTS`).
_SUPPLY_UNIT = Quantity(Decimal(1), "mL")


def patient_words() -> PatientWords:
    """The plain words of all codes and modifiers."""
    return PatientWords(plain_words, _of_modifier)


@cache
def plain_words(code: str) -> PlainWords | None:
    """A code in plain words; None if the table has none. Raises KeyError for a sentence without its fact."""
    entries = _sentences(code)
    names = [each for each in entries if each.part == "name"]
    if not names:
        return None
    facts = _facts(code)
    return PlainWords(
        _message(names[0], facts), tuple(_message(each, facts) for each in entries if each.part == "about")
    )


def _of_modifier(modifier: str) -> Message | None:
    found = (each for each in _sentences(modifier) if each.part == "modifier")
    return next((Message(each.text) for each in found), None)


def _sentences(code: str) -> list[PatientSentence]:
    return [each for each in PATIENT_WORDS if code == each.code or code in each.also]


def _message(entry: PatientSentence, facts: dict[str, Value]) -> Message:
    return Message(entry.text, values={name: facts[name] for name in placeholders(entry.text)})


def _facts(code: str) -> dict[str, Value]:
    """The facts that a code's sentences may state, by placeholder."""
    facts: dict[str, Value] = {}
    for product in PRODUCTS.history(code):
        facts["product"] = product.name
    if is_supply(code):
        facts["amount"] = _SUPPLY_UNIT
    for drug in STRESS_DRUGS.history(code):
        facts |= {"drug": drug.name, "amount": Quantity(drug.mg_per_unit, "mg")}
    return facts
