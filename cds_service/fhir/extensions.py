"""Reads codes, modifiers, amounts and references from extensions: those of Oracle Health, CMS and others."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from cds_service.core.concepts import BILLING, NDC, Code, Concept
from cds_service.fhir import resources as r
from cds_service.fhir.elements import (
    amount,
    code_and_modifiers,
    concept,
    has_billing_system,
    merged,
    milliliters,
    modifiers_of,
    unclear_modifiers_of,
)
from cds_service.fhir.systems import code_kind


def extension_modifiers(extensions: Iterable[r.Extension]) -> tuple[str, ...]:
    """A charge's modifiers from extensions with `modifier` in their URL; R4 has no element for them."""
    return modifiers_of(_modifier_concepts(extensions))


def unclear_extension_modifiers(extensions: Iterable[r.Extension]) -> tuple[str, ...]:
    """The modifiers in such extensions that are not understood."""
    return unclear_modifiers_of(_modifier_concepts(extensions))


def _modifier_concepts(extensions: Iterable[r.Extension]) -> Iterator[r.CodeableConcept]:
    named = [each for each in extensions if "modifier" in (each.url or "").lower()]
    return (_as_concept(part) for each in named for part in _with_nested(each))


def extension_code(extensions: Iterable[r.Extension]) -> Concept | None:
    """The billing code in a charge's extensions, nested ones included: Oracle Health's `procedure-code` holds it, and
    `ChargeItem.code` the number of the charge master. None if there is none.

    Of several, those of the lowest priority number come first. If these differ, no code is the charge's: all are kept
    as codes of the extension.
    """
    found = [*_codes_with_priority(extensions)]
    if not found:
        return None
    first = min((number for number, _, _ in found if number is not None), default=None)
    preferred = [each for each in found if each[0] == first]
    if len(found) > 1 and len({code_and_modifiers(each.codes)[0] for _, _, each in preferred} - {""}) != 1:
        return merged(_of_system(url, each) for _, url, each in found)
    return merged(each for _, _, each in (*preferred, *(each for each in found if each[0] != first)))


def _codes_with_priority(
    extensions: Iterable[r.Extension], outer: Decimal | None = None, url: str = ""
) -> Iterator[tuple[Decimal | None, str, Concept]]:
    """The concepts with a billing code, each with the priority beside it and the URL of the outermost extension."""
    every = [each for each in extensions if "modifier" not in (each.url or "").lower()]
    stated = [_whole_number(each) for each in every if _name_of(each) == "priority"]
    priority = next((each for each in stated if each is not None), outer)
    for each in every:
        found = concept(_as_concept(each))
        if has_billing_system(found):
            yield priority, url or each.url or "", found
        yield from _codes_with_priority(each.extension or (), priority, url or each.url or "")


def _of_system(url: str, written: Concept) -> Concept:
    codes = (Code(url, code.value) if code.system == BILLING else code for code in written.codes)
    return Concept(tuple(codes), written.words)


def _name_of(extension: r.Extension) -> str:
    return (extension.url or "").rpartition("/")[2].lower()


def _whole_number(extension: r.Extension) -> Decimal | None:
    """The number in an extension, in any of the types of whole numbers or as a decimal."""
    written = (
        extension.value_decimal, extension.value_integer, extension.value_unsigned_int, extension.value_positive_int
    )  # fmt: skip
    return next((each for each in written if each is not None and each.is_finite()), None)


def extension_product(extensions: Iterable[r.Extension]) -> Concept | None:
    """The NDC in a code's extensions, as CMS states it; None if there is none."""
    found = merged(concept(_as_concept(each)) for each in extensions if code_kind(each.url) == NDC)
    return found if found.values(NDC) else None


def extension_amount(extensions: Iterable[r.Extension], names: frozenset[str]) -> Decimal | None:
    """The amount in the first extension whose URL ends in one of the names; None without one. Raises OutOfRange."""
    for each in extensions:
        if _name_of(each) in names:
            found = amount(each.value_quantity or r.Quantity(value=_whole_number(each)))
            if found is not None:
                return found
    return None


# R4 has no element for the discarded part of a vial; this extension of an administration states it, as a volume.
DISCARDED_URI = "https://example.org/contrast-echo-cds/StructureDefinition/discarded-amount"
_DISCARDED = frozenset({"discarded-amount"})


def discarded_milliliters(extensions: Iterable[r.Extension]) -> Decimal | None:
    """The mL discarded that an extension of an administration states; None without one. Raises OutOfRange."""
    stated = (milliliters(each.value_quantity) for each in extensions if _name_of(each) in _DISCARDED)
    return next((each for each in stated if each is not None), None)


_REVERSALS = frozenset({"offset-by", "reversed-by"})


def offsets(extensions: Iterable[r.Extension]) -> Iterator[r.Extension]:
    """The extensions, nested ones included, that name the charge which reversed this one."""
    every = (part for each in extensions for part in _with_nested(each))
    named = (each for each in every if _name_of(each) in _REVERSALS)
    return (part for each in named for part in _with_nested(each) if part.value_reference)


def _with_nested(extension: r.Extension) -> Iterator[r.Extension]:
    yield extension
    for each in extension.extension or ():
        yield from _with_nested(each)


def _as_concept(extension: r.Extension) -> r.CodeableConcept:
    bare = extension.value_code or extension.value_string
    coding = extension.value_coding or (r.Coding(code=bare) if bare else None)
    return extension.value_codeable_concept or r.CodeableConcept(coding=(coding,) if coding else ())
