"""Strict validation of whole resources with the R4B models of `fhir.resources`; their top-level elements are R4's."""

import importlib
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import ValidationError

from cds_service.fhir.checks import UNREADABLE
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.sources import SkippedItem

# fhir.resources raises these, bare, on input that it does not expect.
_ODD = (KeyError, TypeError, ValueError, AttributeError, LookupError)


def faults_in(body: bytes) -> tuple[SkippedItem, ...]:
    """What is wrong with the resources in a Bundle or a CDS Hooks request, by place; no values are repeated."""
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:  # as a request it was: there, only what rules use is decoded
        return (SkippedItem("", "cannot be validated: a number or a text in it is beyond what can be read"),)
    return tuple(fault for place, resource in _resources(document, "") for fault in _faults(place, resource))


def _resources(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every outermost resource that is not a Bundle."""
    if isinstance(value, dict):
        if value.get("resourceType") not in (None, "Bundle"):
            yield place, value
            return
        for member, inner in value.items():
            yield from _resources(inner, f"{place}.{member}" if place else member)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _resources(inner, f"{place}[{position}]")


def _faults(place: str, resource: dict[str, Any]) -> Iterator[SkippedItem]:
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in R4_TYPES:
        yield SkippedItem(place, "not a resource type of FHIR R4")
        return
    try:
        validate(resource)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            yield SkippedItem(".".join([place, *(str(part) for part in fault["loc"])]), f"{kind}: {fault['msg']}")
    except _ODD as error:
        yield SkippedItem(place, f"{kind}: cannot be validated ({type(error).__name__})")


def validate(resource: dict[str, Any]) -> None:
    """Validate one resource as a whole. Raises pydantic's ValidationError, and odd bare errors on odd input."""
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)
