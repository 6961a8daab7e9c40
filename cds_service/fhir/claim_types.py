"""The elements of Claim and ExplanationOfBenefit that rules use."""

from decimal import Decimal
from typing import Literal

from cds_service.fhir.data_types import (
    CodeableConcept,
    Element,
    Extension,
    Identifier,
    Period,
    PositiveInt,
    Quantity,
    Reference,
    Resource,
)


class CareTeam(Element, kw_only=True):
    """A member of a claim's care team."""

    sequence: PositiveInt
    provider: Reference | None = None
    role: CodeableConcept | None = None


class ClaimProcedure(Element, kw_only=True):
    """A procedure that a claim reports."""

    sequence: PositiveInt
    procedure_reference: Reference | None = None


class ClaimDiagnosis(Element):
    """A diagnosis that a claim states; its lines name it by its sequence."""

    sequence: PositiveInt | None = None
    diagnosis_codeable_concept: CodeableConcept | None = None
    diagnosis_reference: Reference | None = None


class Insurance(Element):
    """A coverage of a claim."""

    focal: bool | None = None
    coverage: Reference | None = None


class ProductOrService(CodeableConcept):
    """The code of a claim line; CMS puts the NDC of a drug into an extension of it."""

    extension: tuple[Extension, ...] | None = None


class Adjudication(Element):
    """An amount or a number that a payer decided for a line."""

    category: CodeableConcept | None = None
    value: Decimal | None = None


class ClaimLine(Element):
    """The fields common to a claim's items, details and sub-details."""

    sequence: PositiveInt | None = None
    revenue: CodeableConcept | None = None
    product_or_service: ProductOrService | None = None
    modifier: tuple[CodeableConcept, ...] | None = None
    quantity: Quantity | None = None
    adjudication: tuple[Adjudication, ...] | None = None
    extension: tuple[Extension, ...] | None = None


class ClaimSubDetail(ClaimLine):
    """A line inside a detail."""


class ClaimDetail(ClaimLine):
    """A line inside an item."""

    sub_detail: tuple[ClaimSubDetail, ...] | None = None


class ClaimItem(ClaimLine):
    """A line of a claim."""

    care_team_sequence: tuple[PositiveInt, ...] | None = None
    procedure_sequence: tuple[PositiveInt, ...] | None = None
    diagnosis_sequence: tuple[PositiveInt, ...] | None = None
    serviced_date: str | None = None
    serviced_period: Period | None = None
    location_codeable_concept: CodeableConcept | None = None
    encounter: tuple[Reference, ...] | None = None
    detail: tuple[ClaimDetail, ...] | None = None


class RelatedClaim(Element):
    """Another claim, by its resource or its number, such as the one that this claim replaces."""

    claim: Reference | None = None
    relationship: CodeableConcept | None = None
    reference: Identifier | None = None


class SupportingInfo(Element):
    """A fact about a claim, such as its type of bill."""

    category: CodeableConcept | None = None
    code: CodeableConcept | None = None


class BilledClaim(Resource, kw_only=True):
    """The fields that a claim and its explanation of benefits share."""

    use: Literal["claim", "preauthorization", "predetermination"] = "claim"
    type: CodeableConcept | None = None
    identifier: tuple[Identifier, ...] | None = None
    patient: Reference | None = None
    billable_period: Period | None = None
    created: str | None = None
    provider: Reference | None = None
    related: tuple[RelatedClaim, ...] | None = None
    care_team: tuple[CareTeam, ...] | None = None
    procedure: tuple[ClaimProcedure, ...] | None = None
    diagnosis: tuple[ClaimDiagnosis, ...] | None = None
    insurance: tuple[Insurance, ...] | None = None
    supporting_info: tuple[SupportingInfo, ...] | None = None
    item: tuple[ClaimItem, ...] | None = None


class Claim(BilledClaim, tag="Claim", kw_only=True):
    """A claim with its lines."""

    status: Literal["active", "cancelled", "draft", "entered-in-error"]


class ExplanationOfBenefit(BilledClaim, tag="ExplanationOfBenefit", kw_only=True):
    """A payer's account of a claim: the lines as billed. `claim` refers to the claim itself."""

    status: Literal["active", "cancelled", "draft", "entered-in-error"]
    claim: Reference | None = None
