"""The code tables as FHIR value sets and concept maps for a terminology server."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from cds_service.core.concepts import BILLING, NDC
from cds_service.core.terminology import CodeList, CodeMap, Designation, Member, Pair, Terminology
from hooks.codes.tables import ADD_ONS, CODES, CROSSWALK, PRODUCTS, AddOn

Designations = Callable[[str], tuple[Designation, ...]]


def terminology(designations: Designations) -> Terminology:
    """All lists and maps; ended codes are kept with their last date.

    The list of all codes has `designations`: a code's short names for patients.
    """
    return Terminology(lists=tuple(_lists(designations)), maps=(_hospital_codes(), _products()))


def _lists(designations: Designations) -> Iterator[CodeList]:
    kinds = dict.fromkeys(entry.kind for entry in CODES)
    every = _members(entry.code for entry in CODES)
    yield CodeList(
        "codes-in-scope",
        "CodesInScope",
        "Codes of contrast stress echocardiography",
        "All billing codes known to this service, with our own descriptions.",
        tuple(replace(member, designations=designations(member.value)) for member in every),
    )
    for kind in kinds:
        yield CodeList(
            _PLURALS.get(kind, f"{kind}-codes"),
            "".join(part.capitalize() for part in _PLURALS.get(kind, f"{kind}-codes").split("-")),
            f"Codes in scope: {_PLURALS.get(kind, f'{kind} codes')}",
            _DESCRIPTIONS.get(kind, f"The codes in scope of kind {kind}."),
            _members(entry.code for entry in CODES if entry.kind == kind),
        )
    for entry in ADD_ONS:
        if entry.last is None:
            yield CodeList(
                f"primaries-of-{entry.code.lower()}",
                f"PrimariesOf{entry.code}",
                f"Primaries of {entry.code}",
                f"The closed list of codes that {entry.code} may be reported with{_since(entry)}.",
                _members(entry.primaries),
            )


_PLURALS = {"primary": "primaries", "add-on": "add-ons", "supply": "supplies"}
_DESCRIPTIONS = {
    "primary": "Echo studies that may be billed by themselves.",
    "add-on": "Codes that are charged only with one of their primaries.",
    "supply": "Supply codes of the contrast agents.",
}


def _since(entry: AddOn) -> str:
    return f" since {entry.first}" if entry.first else ""


def _members(codes: Iterable[str]) -> tuple[Member, ...]:
    return tuple(_member(code) for code in dict.fromkeys(codes))


def _member(code: str) -> Member:
    """A billing code with our description; an ended code states its last date."""
    entries = CODES.history(code)
    if not entries:
        return Member(BILLING, code, "")
    until = f" (through {entries[-1].last})" if entries[-1].last else ""
    return Member(BILLING, code, f"{entries[-1].words}{until}")


def _hospital_codes() -> CodeMap:
    return CodeMap(
        "cpt-to-hospital-contrast-code",
        "CptToHospitalContrastCode",
        "Hospital outpatient codes for echo with contrast",
        "The code that a Medicare hospital outpatient claim reports in place of a CPT code when contrast was used.",
        tuple(
            Pair(
                _member(entry.code),
                _member(entry.hospital_code),
                "narrower",
                "only if contrast was used, on a Medicare hospital outpatient claim"
                + (f", from {entry.first}" if entry.first else "")
                + (f" through {entry.last}" if entry.last else ""),
            )
            for entry in CROSSWALK
        ),
    )


def _products() -> CodeMap:
    return CodeMap(
        "ndc-to-supply-code",
        "NdcToSupplyCode",
        "Supply codes of echo contrast products",
        "The supply code of each product. NDCs are given as labeler and product (5-4); the package code varies.",
        tuple(
            Pair(
                Member(NDC, ndc, product.name),
                _member(product.code),
                "wider",
                "labeler and product of the NDC, any package; one unit is 1 mL",
            )
            for product in PRODUCTS
            for ndc in product.ndc
        ),
    )
