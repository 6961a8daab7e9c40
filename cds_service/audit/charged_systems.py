"""The code systems on the charges of an export, so that the summary can say why no case was about an echo."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

import msgspec

from cds_service.core.concepts import BILLING, NO_SYSTEM, REVENUE
from cds_service.core.system_names import SYSTEM_NAMES
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.systems import HCPCS_URI, billing_uri, code_kind
from cds_service.languages.worded import worded

CHARGE_TYPES = ("ChargeItem", "Claim", "ExplanationOfBenefit")
UNKNOWN_TYPE = "?"  # counts the lines that are no FHIR resources
MOST_RECORDS = 100_000  # a sample of so many suffices to name the systems

# Gives the texts of up to so many charges and claims of the export.
ReadCharges = Callable[[int], Iterable[str]]

_NAMES = SYSTEM_NAMES | {REVENUE: "revenue"}
_BILLING_NAMES = ("CPT", "HCPCS")
_OTHER = "codes of other systems"
_WITHOUT = "codes without a system"


class _Coding(msgspec.Struct):
    system: str | None = None
    code: str = ""


class _Concept(msgspec.Struct):
    coding: list[_Coding] = []


class _Item(msgspec.Struct, rename="camel"):
    product_or_service: _Concept | None = None
    revenue: _Concept | None = None
    detail: "list[_Item]" = []
    sub_detail: "list[_Item]" = []


class _Charge(msgspec.Struct):
    code: _Concept | None = None
    item: list[_Item] = []


_DECODER = msgspec.json.Decoder(_Charge)


def why_no_case(types: Mapping[str, int], read: ReadCharges) -> str:
    """A sentence on why no case was about an echo; `types` are the lines of the export by resource type."""
    held = [kind for kind in CHARGE_TYPES if types.get(kind)]
    if not held and types.get(UNKNOWN_TYPE):
        return worded("0 cases: no charge or claim could be read; lines were rejected.")
    if not held:
        return worded("0 cases: the export holds no charges or claims.")
    texts = iter(read(MOST_RECORDS + 1))
    systems, records = _counted(islice(texts, MOST_RECORDS))
    is_sample = next(texts, None) is not None
    subject = _subject(held)
    if not records:
        return f"0 cases: all {subject} were rejected."
    sampled = f"{MOST_RECORDS:,} of the {subject}" if is_sample else f"the {subject}"
    return f"0 cases: {sampled} carry {_in_words(systems)}."


def _subject(held: list[str]) -> str:
    if held == ["ChargeItem"]:
        return "charges"
    return "charges and claims" if "ChargeItem" in held else "claims"


def _counted(texts: Iterable[str]) -> tuple[Counter[str], int]:
    """The codes of the lines by the name of their system, and the number of records."""
    systems, records = Counter[str](), 0
    for text in texts:
        records += 1
        systems.update(_systems_in(text))
    return systems, records


def _systems_in(text: str) -> Iterator[str]:
    try:
        charge = _DECODER.decode(text)
    except DECODE_ERRORS:
        return  # rejected or skipped, and named there
    for concept in (charge.code, *_concepts(charge.item)):
        yield from (_name(coding) for coding in (concept.coding if concept else ()))


def _concepts(items: Iterable[_Item]) -> Iterator[_Concept | None]:
    for each in items:
        yield from (each.product_or_service, each.revenue)
        yield from _concepts((*each.detail, *each.sub_detail))


def _name(coding: _Coding) -> str:
    kind = code_kind(coding.system)
    if kind == BILLING:
        return "HCPCS" if billing_uri(coding.code) == HCPCS_URI else "CPT"
    return _WITHOUT if kind == NO_SYSTEM else _NAMES.get(kind, _OTHER)


def _in_words(systems: Counter[str]) -> str:
    """`only SNOMED CT and CVX codes`, most frequent first; with billing codes, that none of them is of an echo."""
    if not systems:
        return "no codes"
    ranked = sorted(systems, key=lambda name: (-systems[name], name))
    named = [name for name in ranked if name not in {_OTHER, _WITHOUT}]
    groups = [f"{_listed(named)} codes"] if named else []
    words = _listed([*groups, *(name for name in (_OTHER, _WITHOUT) if name in systems)])
    return f"{words}, none of an echo" if set(_BILLING_NAMES) & set(named) else f"only {words}"


def _listed(names: list[str]) -> str:
    """Names in a sentence: `A, B and C`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
