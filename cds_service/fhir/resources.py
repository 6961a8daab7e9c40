"""The elements of FHIR R4 resources that rules use.

Resources are decoded into these structs in a single pass; other elements are skipped. Types and status codes are
checked, so a resource with a malformed element is rejected as a whole and reported. Decoded JSON has no cycles, so the
structs are exempt from garbage collection (`gc=False`).
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Element(msgspec.Struct, rename="camel", gc=False):
    """An element of a resource."""


class Coding(Element):
    """A code and its code system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Element):
    """A concept as codes, text or both."""

    coding: tuple[Coding, ...] | None = None
    text: str | None = None


class Identifier(Element):
    """A business identifier, used in references without a URL."""

    system: str | None = None
    value: str | None = None


class Reference(Element):
    """A reference to another resource."""

    reference: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class Period(Element):
    """A time period."""

    start: str | None = None
    end: str | None = None


class Quantity(Element):
    """A number and its unit."""

    value: Decimal | None = None
    unit: str | None = None
    code: str | None = None


class Extension(Element):
    """An extension; only the value types used for billing modifiers."""

    url: str | None = None
    value_code: str | None = None
    value_string: str | None = None
    value_coding: Coding | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_reference: Reference | None = None
    extension: "tuple[Extension, ...] | None" = None


class Annotation(Element):
    """A note."""

    text: str | None = None


class Actor(Element):
    """A performer."""

    actor: Reference | None = None


class Resource(msgspec.Struct, rename="camel", tag_field="resourceType", gc=False):
    """A resource, tagged by its type."""

    id: str | None = None


class Patient(Resource, tag="Patient"):
    """A patient; only the id is used."""


class ServiceRequest(Resource, tag="ServiceRequest"):
    """An order for a service."""

    status: Literal["draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"] | None = None
    do_not_perform: bool | None = None
    code: CodeableConcept | None = None
    order_detail: tuple[CodeableConcept, ...] | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    authored_on: str | None = None
    performer: tuple[Reference, ...] | None = None
    based_on: tuple[Reference, ...] | None = None
    reason_code: tuple[CodeableConcept, ...] | None = None
    reason_reference: tuple[Reference, ...] | None = None


class MedicationRequest(Resource, tag="MedicationRequest"):
    """An order for a medication."""

    status: (
        Literal["active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"] | None
    ) = None
    do_not_perform: bool | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    contained: tuple[msgspec.Raw, ...] | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored_on: str | None = None
    based_on: tuple[Reference, ...] | None = None


class Medication(Resource, tag="Medication"):
    """A medication that other resources refer to."""

    code: CodeableConcept | None = None


class Procedure(Resource, tag="Procedure", kw_only=True):
    """A procedure on the patient."""

    status: Literal[
        "preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", "entered-in-error", "unknown"
    ]
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performer: tuple[Actor, ...] | None = None
    based_on: tuple[Reference, ...] | None = None
    part_of: tuple[Reference, ...] | None = None
    used_reference: tuple[Reference, ...] | None = None
    used_code: tuple[CodeableConcept, ...] | None = None
    contained: tuple[msgspec.Raw, ...] | None = None
    reason_code: tuple[CodeableConcept, ...] | None = None
    reason_reference: tuple[Reference, ...] | None = None
    note: tuple[Annotation, ...] | None = None
    report: tuple[Reference, ...] | None = None


class Dosage(Element):
    """The dose of an administration."""

    dose: Quantity | None = None


class MedicationAdministration(Resource, tag="MedicationAdministration", kw_only=True):
    """A medication given or not given."""

    status: Literal["in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown"]
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    contained: tuple[msgspec.Raw, ...] | None = None
    subject: Reference | None = None
    context: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performer: tuple[Actor, ...] | None = None
    part_of: tuple[Reference, ...] | None = None
    request: Reference | None = None
    dosage: Dosage | None = None


class ChargeItem(Resource, tag="ChargeItem", kw_only=True):
    """A charge."""

    status: Literal["planned", "billable", "not-billable", "aborted", "billed", "entered-in-error", "unknown"]
    code: CodeableConcept | None = None
    subject: Reference | None = None
    context: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    performer: tuple[Actor, ...] | None = None
    quantity: Quantity | None = None
    service: tuple[Reference, ...] | None = None
    supporting_information: tuple[Reference, ...] | None = None
    product_codeable_concept: CodeableConcept | None = None
    extension: tuple[Extension, ...] | None = None


class CareTeam(Element, kw_only=True):
    """A member of a claim's care team."""

    sequence: PositiveInt
    provider: Reference | None = None


class ClaimProcedure(Element, kw_only=True):
    """A procedure that a claim reports."""

    sequence: PositiveInt
    procedure_reference: Reference | None = None


class Insurance(Element):
    """A coverage of a claim."""

    focal: bool | None = None
    coverage: Reference | None = None


class ClaimLine(Element):
    """The fields common to a claim's items, details and sub-details."""

    sequence: PositiveInt | None = None
    revenue: CodeableConcept | None = None
    product_or_service: CodeableConcept | None = None
    modifier: tuple[CodeableConcept, ...] | None = None
    quantity: Quantity | None = None


class ClaimSubDetail(ClaimLine):
    """A line inside a detail."""


class ClaimDetail(ClaimLine):
    """A line inside an item."""

    sub_detail: tuple[ClaimSubDetail, ...] | None = None


class ClaimItem(ClaimLine):
    """A line of a claim."""

    care_team_sequence: tuple[PositiveInt, ...] | None = None
    procedure_sequence: tuple[PositiveInt, ...] | None = None
    serviced_date: str | None = None
    serviced_period: Period | None = None
    location_codeable_concept: CodeableConcept | None = None
    encounter: tuple[Reference, ...] | None = None
    detail: tuple[ClaimDetail, ...] | None = None


class Claim(Resource, tag="Claim", kw_only=True):
    """A claim with its lines."""

    status: Literal["active", "cancelled", "draft", "entered-in-error"]
    use: Literal["claim", "preauthorization", "predetermination"] = "claim"
    type: CodeableConcept | None = None
    patient: Reference | None = None
    billable_period: Period | None = None
    provider: Reference | None = None
    care_team: tuple[CareTeam, ...] | None = None
    procedure: tuple[ClaimProcedure, ...] | None = None
    insurance: tuple[Insurance, ...] | None = None
    item: tuple[ClaimItem, ...] | None = None


class Encounter(Resource, tag="Encounter"):
    """An encounter; only its presence is used."""

    subject: Reference | None = None


class Coverage(Resource, tag="Coverage"):
    """Insurance coverage."""

    status: Literal["active", "cancelled", "draft", "entered-in-error"] | None = None
    type: CodeableConcept | None = None
    identifier: tuple[Identifier, ...] | None = None
    beneficiary: Reference | None = None
    payor: tuple[Reference, ...] | None = None
    order: PositiveInt | None = None


class Observation(Resource, tag="Observation"):
    """An observation."""

    status: (
        Literal[
            "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"
        ]
        | None
    ) = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    part_of: tuple[Reference, ...] | None = None
    value_string: str | None = None
    value_codeable_concept: CodeableConcept | None = None
    note: tuple[Annotation, ...] | None = None


class DiagnosticReport(Resource, tag="DiagnosticReport"):
    """A diagnostic report."""

    status: (
        Literal[
            "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
            "entered-in-error", "unknown",
        ]
        | None
    ) = None  # fmt: skip
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    based_on: tuple[Reference, ...] | None = None
    conclusion: str | None = None


class ImagingStudy(Resource, tag="ImagingStudy"):
    """An imaging study."""

    status: Literal["registered", "available", "cancelled", "entered-in-error", "unknown"] | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    started: str | None = None
    based_on: tuple[Reference, ...] | None = None
    procedure_reference: Reference | None = None
    procedure_code: tuple[CodeableConcept, ...] | None = None
    description: str | None = None


class Condition(Resource, tag="Condition"):
    """A diagnosis or symptom."""

    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None


class DocumentReference(Resource, tag="DocumentReference"):
    """A reference to a document."""

    status: Literal["current", "superseded", "entered-in-error"] | None = None
    type: CodeableConcept | None = None
    subject: Reference | None = None
    date: str | None = None
    description: str | None = None


AnyResource = (
    Patient
    | ServiceRequest
    | MedicationRequest
    | Medication
    | Procedure
    | MedicationAdministration
    | ChargeItem
    | Claim
    | Encounter
    | Coverage
    | Observation
    | DiagnosticReport
    | ImagingStudy
    | Condition
    | DocumentReference
)

DECODED_TYPES = frozenset(kind.__struct_config__.tag for kind in AnyResource.__args__)
