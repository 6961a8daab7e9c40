"""The elements of FHIR R4 resources that rules use.

Resources are decoded into these structs in a single pass; other elements are skipped. Types and status codes are
checked, so a resource with a malformed element is rejected as a whole and reported.
"""

from typing import Literal

import msgspec

from cds_service.fhir.claim_types import (
    BilledClaim,
    CareTeam,
    Claim,
    ClaimDetail,
    ClaimDiagnosis,
    ClaimItem,
    ClaimLine,
    ClaimSubDetail,
    ExplanationOfBenefit,
    RelatedClaim,
)
from cds_service.fhir.data_types import (
    Actor,
    Annotation,
    CodeableConcept,
    Coding,
    Element,
    Extension,
    HumanName,
    Identifier,
    Period,
    PositiveInt,
    Quantity,
    Ratio,
    Reference,
    Resource,
)

# The modules of the reader name all elements and resources by this module.
__all__ = [
    "Annotation",
    "BilledClaim",
    "CareTeam",
    "Claim",
    "ClaimDetail",
    "ClaimDiagnosis",
    "ClaimItem",
    "ClaimLine",
    "ClaimSubDetail",
    "CodeableConcept",
    "Coding",
    "ExplanationOfBenefit",
    "Extension",
    "HumanName",
    "Identifier",
    "Period",
    "Quantity",
    "Ratio",
    "Reference",
    "RelatedClaim",
    "Resource",
]


class Patient(Resource, tag="Patient"):
    """A patient; the elements by which two patients are told apart."""

    identifier: tuple[Identifier, ...] | None = None
    name: tuple[HumanName, ...] | None = None
    birth_date: str | None = None


class ServiceRequest(Resource, tag="ServiceRequest"):
    """An order for a service."""

    status: Literal["draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"] | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
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


class DosageInstruction(Element):
    """An instruction for a dose: whether it is given only as needed; the last two elements are those of R5."""

    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
    as_needed: bool | None = None
    as_needed_for: tuple[CodeableConcept, ...] | None = None


class MedicationRequest(Resource, tag="MedicationRequest"):
    """An order for a medication."""

    status: (
        Literal["active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"] | None
    ) = None
    intent: str | None = None
    do_not_perform: bool | None = None
    dosage_instruction: tuple[DosageInstruction, ...] | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored_on: str | None = None
    based_on: tuple[Reference, ...] | None = None


class Ingredient(Element):
    """An ingredient of a medication; `strength` is its amount in an amount of the whole."""

    item_codeable_concept: CodeableConcept | None = None
    item_reference: Reference | None = None
    strength: Ratio | None = None


class Medication(Resource, tag="Medication"):
    """A medication that other resources refer to."""

    code: CodeableConcept | None = None
    ingredient: tuple[Ingredient, ...] | None = None


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
    subject: Reference | None = None
    context: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performer: tuple[Actor, ...] | None = None
    part_of: tuple[Reference, ...] | None = None
    request: Reference | None = None
    dosage: Dosage | None = None
    extension: tuple[Extension, ...] | None = None


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
    reason: tuple[CodeableConcept, ...] | None = None
    product_codeable_concept: CodeableConcept | None = None
    extension: tuple[Extension, ...] | None = None


class Encounter(Resource, tag="Encounter"):
    """An encounter; its presence is used, and of the encounter under review its period."""

    subject: Reference | None = None
    period: Period | None = None


class CoverageClass(Element):
    """A class of insurance coverage, such as its group or plan."""

    value: str | None = None


class Coverage(Resource, tag="Coverage"):
    """Insurance coverage."""

    status: Literal["active", "cancelled", "draft", "entered-in-error"] | None = None
    type: CodeableConcept | None = None
    identifier: tuple[Identifier, ...] | None = None
    beneficiary: Reference | None = None
    payor: tuple[Reference, ...] | None = None
    period: Period | None = None
    class_: tuple[CoverageClass, ...] | None = msgspec.field(default=None, name="class")
    order: PositiveInt | None = None


class Organization(Resource, tag="Organization"):
    """An organization, as a payer."""

    identifier: tuple[Identifier, ...] | None = None
    name: str | None = None


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
    | ExplanationOfBenefit
    | Encounter
    | Coverage
    | Organization
    | Observation
    | DiagnosticReport
    | ImagingStudy
    | Condition
    | DocumentReference
)

DECODED_TYPES = frozenset(kind.__struct_config__.tag for kind in AnyResource.__args__)
