"""A claim of an 837 file as FHIR R4: a Bundle of Patient, Coverages and Claim, as clients send to `/review`.

The patient has an id only, a digest: no rule needs a name, an address or a date of birth. What a claim bills of a drug
(LIN, CTP) is a detail of its line, never an administration.
"""

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from cds_service.fhir.systems import CLAIM_TYPE_URI, ICD_10_CM_URI, NDC_URI, billing_uri
from cds_service.intake.x12.claim import HCPCS, VOIDS, Claim, Dates, Payer, Product, Provider, ServiceLine, Spot
from cds_service.intake.x12.claim_loop import POINTED_AT

Json = dict[str, Any]

SOPT_URI = "https://nahdo.org/sopt"
BILL_TYPE_URI = "https://www.nubc.org/CodeSystem/TypeOfBill"
PLACE_URI = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
REVENUE_URI = "https://www.nubc.org/CodeSystem/RevenueCodes"
ICD_9_CM_URI = "http://hl7.org/fhir/sid/icd-9-cm"
NPI_URI = "http://hl7.org/fhir/sid/us-npi"
UCUM_URI = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem"
# A qualifier of SV101 or SV202 that names another code system.
_QUALIFIER_URI = "urn:x12:code-list-qualifier"

# In place of an NPI: providers by their names, whom the reader does not tell apart from others.
_NAME_URI = "urn:x12:name"

# Claim filing codes (SBR09) as the groups of the source of payment typology. 16 is a Medicare Advantage plan.
MEDICARE, _ADVANTAGE = "121", "11"
_SOPT = {
    "MA": MEDICARE, "MB": MEDICARE, "16": _ADVANTAGE, "MC": "2", "CH": "3", "FI": "3", "OF": "3", "TV": "3", "VA": "3",
    "12": "5", "13": "5", "14": "5", "15": "5", "CI": "5", "BL": "6", "HM": "7", "09": "8", "11": "9", "17": "9",
    "AM": "9", "DS": "9", "LM": "9", "WC": "9",
}  # fmt: skip
_NAMES_MEDICARE = re.compile("medicare", re.IGNORECASE)

# The order of a payer (SBR01): primary, secondary, tertiary, fourth to eleventh.
_ORDER = {each: number for number, each in enumerate("PSTABCDEFGH", 1)}

# Units of measure in UCUM. UN, units of service, are the quantity itself.
_UCUM = {"MJ": "min", "DA": "d", "F2": "[iU]", "GR": "g", "ME": "mg", "ML": "mL"}
_UNITS_OF_SERVICE = "UN"

_DIAGNOSIS_TYPES = {"ABK": "principal", "BK": "principal", "ABJ": "admitting", "BJ": "admitting"}
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9\-.]")
_LONGEST_NUMBER = 38


def claim_id(claim: Claim) -> str:
    """The id of the Claim: CLM01, kind and first day, the same for all versions of a claim that were sent."""
    plain = _NOT_IN_ID.sub("-", claim.number)[:_LONGEST_NUMBER]
    if plain != claim.number:
        plain = f"{plain[:28]}.{hashlib.sha256(claim.number.encode()).hexdigest()[:8]}"
    day = first_day(claim).replace("-", "")
    return "-".join(filter(None, (plain, claim.kind[0].upper(), day)))


def first_day(claim: Claim) -> str:
    """The first day of a claim, by its lines, else by itself; empty if none is stated."""
    days = [each.dates.first for each in claim.lines if each.dates]
    return min(days, default=claim.dates.first if claim.dates else "")


def resources_of(claim: Claim) -> list[tuple[Json, Spot]]:
    """The resources of a claim, the Claim last, each with its segment."""
    patient = {"resourceType": "Patient", "id": claim.patient}
    coverages = [(_coverage(claim, each), each.spot) for each in claim.payers]
    return [(patient, claim.spot), *coverages, (_claim(claim), claim.spot)]


def bundle_of(claim: Claim) -> Json:
    """The Bundle of a claim."""
    entries = [{"resource": resource} for resource, _ in resources_of(claim)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def places_of(claim: Claim) -> dict[str, str]:
    """The segments of a Bundle's resources and of the parts of its Claim, by path."""
    every = resources_of(claim)
    paths = {f"Bundle.entry[{number}].resource": claim.at(spot) for number, (_, spot) in enumerate(every)}
    whole = f"Bundle.entry[{len(every) - 1}].resource"
    for number, line in enumerate(claim.lines):
        paths[f"{whole}.item[{number}]"] = claim.at(line.spot)
        for position, product in enumerate(line.products):
            paths[f"{whole}.item[{number}].detail[{position}]"] = claim.at(product.spot)
    return paths


def named_resources(claim: Claim) -> Iterator[Json]:
    """The providers of a claim by NPI, with the names by which the audit shows them."""
    every = [claim.billing, claim.rendering, *(each.rendering for each in claim.lines)]
    for each in dict.fromkeys(found for found in every if found and found.npi and found.name):
        kind, _, name = _reference_to(each).partition("/")
        yield {"resourceType": kind, "id": name, "name": [{"text": each.name}] if each.is_person else each.name}


# --- resources ------------------------------------------------------------------------------------------------------


def _coverage(claim: Claim, payer: Payer) -> Json:
    payor = {"display": payer.name or None, "identifier": {"value": payer.number} if payer.number else None}
    plan = _plan(payer)
    return _filled(
        resourceType="Coverage",
        id=_coverage_id(claim, payer),
        status="active",
        type=_coded(SOPT_URI, plan) if plan else None,
        beneficiary={"reference": f"Patient/{claim.patient}"},
        payor=[_filled(**payor)] if any(payor.values()) else None,
        order=_ORDER.get(payer.order),
    )


def _coverage_id(claim: Claim, payer: Payer) -> str:
    written = "\x1f".join((claim.patient, payer.order, payer.filing, payer.name, payer.number))
    return hashlib.sha256(written.encode()).hexdigest()[:24]


def _plan(payer: Payer) -> str:
    """The type of plan; none where the payer's name says Medicare and the code another plan: either may be wrong."""
    plan = _SOPT.get(payer.filing, "")
    return "" if plan not in {MEDICARE, _ADVANTAGE} and _NAMES_MEDICARE.search(payer.name) else plan


def _claim(claim: Claim) -> Json:
    diagnoses = [each for each in claim.diagnoses if each[0] in POINTED_AT]
    diagnoses += [each for each in claim.diagnoses if each[0] not in POINTED_AT]
    team = list(dict.fromkeys(found for each in claim.lines if (found := each.rendering or claim.rendering)))
    bill = claim.kind == "institutional" and claim.facility
    return _filled(
        resourceType="Claim",
        id=claim_id(claim),
        meta=_version(claim),
        status="cancelled" if claim.frequency == VOIDS else "active",
        type=_coded(CLAIM_TYPE_URI, claim.kind),
        use="claim",
        patient={"reference": f"Patient/{claim.patient}"},
        billablePeriod={"start": claim.dates.first, "end": claim.dates.last} if claim.dates else None,
        created=_created(claim)[:10] or None,
        provider=_provider(claim.billing),
        priority=_coded(f"{_HL7}/processpriority", "normal"),
        facility={"display": claim.location} if claim.location else None,
        related=[_prior(claim.replaced)] if claim.replaced else None,
        careTeam=[{"sequence": number, "provider": _provider(each)} for number, each in enumerate(team, 1)],
        supportingInfo=[_bill_type(f"0{claim.facility}{claim.frequency or '1'}")] if bill else None,
        diagnosis=[_diagnosis(number, *each) for number, each in enumerate(diagnoses, 1)],
        insurance=[_insurance(claim, number, each) for number, each in enumerate(claim.payers, 1)],
        item=[_item(claim, number, each, team) for number, each in enumerate(claim.lines, 1)],
    )


def _version(claim: Claim) -> Json | None:
    """The moment of the transaction set: of several versions of a claim, the last that was sent counts."""
    created = _created(claim)
    return {"lastUpdated": f"{created}.{min(claim.spot.number, 999_999):06}Z"} if created else None


def _created(claim: Claim) -> str:
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?\d{0,2})?", claim.created, re.ASCII)
    if not found:
        return ""
    year, month, day, hour, minute, second = found.groups("00")
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"


def _item(claim: Claim, number: int, line: ServiceLine, team: list[Provider]) -> Json:
    rendering = line.rendering or claim.rendering
    place = (line.place or claim.facility) if claim.kind == "professional" else ""
    return _filled(
        sequence=number,
        careTeamSequence=[team.index(rendering) + 1] if rendering else None,
        diagnosisSequence=list(line.pointers),
        revenue=_coded(REVENUE_URI, line.revenue) if line.revenue else None,
        productOrService=_procedure(line),
        modifier=[{"coding": [{"code": each}]} for each in line.modifiers],
        **_serviced(line.dates),
        locationCodeableConcept=_coded(PLACE_URI, place) if place else None,
        quantity=_quantity(line.units, line.unit),
        detail=[_detail(position, each) for position, each in enumerate(line.products, 1)],
    )


def _procedure(line: ServiceLine) -> Json:
    if not line.code:  # a revenue code alone
        return _coded(f"{_HL7}/data-absent-reason", "not-applicable")
    is_billing = line.qualifier.upper() == HCPCS
    return _coded(billing_uri(line.code) if is_billing else f"{_QUALIFIER_URI}:{line.qualifier}", line.code)


def _serviced(dates: Dates | None) -> Json:
    if dates is None:
        return {}
    if dates.first == dates.last:
        return {"servicedDate": dates.first}
    return {"servicedPeriod": {"start": dates.first, "end": dates.last}}


def _detail(number: int, product: Product) -> Json:
    billed = _quantity(product.quantity, product.unit)
    return _filled(sequence=number, productOrService=_coded(NDC_URI, product.ndc), quantity=billed)


def _quantity(value: Decimal | None, unit: str) -> Json | None:
    if value is None:
        return None
    number = int(value) if value == value.to_integral_value() else value
    if unit in {"", _UNITS_OF_SERVICE}:
        return {"value": number}
    ucum = {"system": UCUM_URI, "code": _UCUM[unit]} if unit in _UCUM else {}
    return {"value": number, "unit": _UCUM.get(unit, unit), **ucum}


def _diagnosis(number: int, qualifier: str, code: str) -> Json:
    is_icd_10 = qualifier.startswith("A")
    plain = code.replace(".", "")
    written = f"{plain[:3]}.{plain[3:]}" if is_icd_10 and len(plain) > 3 else code
    kind = _DIAGNOSIS_TYPES.get(qualifier)
    return _filled(
        sequence=number,
        diagnosisCodeableConcept=_coded(ICD_10_CM_URI if is_icd_10 else ICD_9_CM_URI, written),
        type=[_coded(f"{_HL7}/ex-diagnosistype", kind)] if kind else None,
    )


def _insurance(claim: Claim, number: int, payer: Payer) -> Json:
    return {
        "sequence": number,
        "focal": number == 1,
        "coverage": {"reference": f"Coverage/{_coverage_id(claim, payer)}"},
    }


def _prior(number: str) -> Json:
    return {"relationship": _coded(f"{_HL7}/ex-relatedclaimrelationship", "prior"), "reference": {"value": number}}


def _bill_type(code: str) -> Json:
    category = _coded(f"{_CARIN}/C4BBSupportingInfoType", "typeofbill")
    return {"sequence": 1, "category": category, "code": _coded(BILL_TYPE_URI, code)}


def _provider(provider: Provider) -> Json:
    """A reference by NPI; without one, an identifier made of the name, which may be of any provider."""
    if not provider.npi:
        return {"identifier": {"system": _NAME_URI, "value": provider.name or "not named"}}
    identifier = {"system": NPI_URI, "value": provider.npi}
    return {"reference": _reference_to(provider), "identifier": identifier}


def _reference_to(provider: Provider) -> str:
    return f"{'Practitioner' if provider.is_person else 'Organization'}/{_NOT_IN_ID.sub('-', provider.npi)[:64]}"


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _filled(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value not in (None, [])}
