"""Strict validation of whole resources with the R4B models of `fhir.resources`; their top-level elements are R4's."""

import importlib
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import ValidationError

from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.r4_types import R4_TYPES
from cds_service.fhir.sources import SkippedItem

# fhir.resources raises these on unexpected input, without wrapping them.
_MODEL_ERRORS = (KeyError, TypeError, ValueError, AttributeError, LookupError)


def faults_in(body: bytes) -> tuple[SkippedItem, ...]:
    """The validation errors of the resources in a Bundle or CDS Hooks request, by path; never repeats values."""
    try:
        document = msgspec.json.decode(body)
    except DECODE_ERRORS:  # the request parser accepts it because it decodes only the elements that rules use
        return (SkippedItem("", "cannot be validated: contains a number or text that cannot be parsed"),)
    return tuple(fault for path, resource in _resources(document, "") for fault in _faults(path, resource))


def _resources(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The outermost resources other than Bundles."""
    if isinstance(value, dict):
        if value.get("resourceType") not in (None, "Bundle"):
            yield path, value
            return
        for member, inner in value.items():
            yield from _resources(inner, f"{path}.{member}" if path else member)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _resources(inner, f"{path}[{position}]")


def _faults(path: str, resource: dict[str, Any]) -> Iterator[SkippedItem]:
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in R4_TYPES:
        yield SkippedItem(path, "not a resource type of FHIR R4")
        return
    try:
        validate(resource)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            yield SkippedItem(".".join([path, *(str(part) for part in fault["loc"])]), f"{kind}: {fault['msg']}")
    except _MODEL_ERRORS as error:
        yield SkippedItem(path, f"{kind}: cannot be validated ({type(error).__name__})")


def validate(resource: dict[str, Any]) -> None:
    """Validate one whole resource. Raises pydantic's ValidationError or one of `_MODEL_ERRORS`."""
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)
