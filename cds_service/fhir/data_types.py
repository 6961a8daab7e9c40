"""The FHIR R4 data types that the resources in use are made of; other elements are skipped.

Types are checked while decoding. Decoded JSON has no cycles, so the structs are exempt from garbage collection
(`gc=False`).
"""

from decimal import Decimal
from typing import Annotated

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


class Ratio(Element):
    """A ratio, such as the strength of an ingredient."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Extension(Element):
    """An extension; only the value types used for billing codes, modifiers and units."""

    url: str | None = None
    value_code: str | None = None
    value_string: str | None = None
    value_coding: Coding | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_reference: Reference | None = None
    value_quantity: Quantity | None = None
    value_decimal: Decimal | None = None
    value_integer: Decimal | None = None
    value_unsigned_int: Decimal | None = None
    value_positive_int: Decimal | None = None
    extension: "tuple[Extension, ...] | None" = None


class Annotation(Element):
    """A note."""

    text: str | None = None


class Actor(Element):
    """A performer."""

    actor: Reference | None = None


class HumanName(Element):
    """The name of a person."""

    text: str | None = None
    family: str | None = None
    given: tuple[str, ...] | None = None


class Resource(msgspec.Struct, rename="camel", tag_field="resourceType", gc=False):
    """A resource, tagged by its type; `contained` stays undecoded until a reference leads there."""

    id: str | None = None
    contained: tuple[msgspec.Raw, ...] | None = None
