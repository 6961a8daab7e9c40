"""FHIR as others read it, for what the service sends.

`fhirclient` has the models of R4 (4.0.1) itself; `fhir.resources`, which the service uses too, has those of R4B. The
latter knows the codes that an element must have and does not require them, so they are compared here.
"""

import importlib
import json
import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from fhirclient.models.fhirabstractbase import FHIRValidationError
from fhirclient.models.fhirelementfactory import FHIRElementFactory
from pydantic import BaseModel, ValidationError

Json = dict[str, Any]

# The codes of R4's IssueType, by which an OperationOutcome says what went wrong; the models do not list them.
ISSUE_TYPES = frozenset(
    (
        "invalid structure required value invariant security login unknown expired forbidden suppressed processing "
        "not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly "
        "business-rule conflict transient lock-error no-store exception timeout incomplete throttled informational"
    ).split()
)


def require_fhir(resource: Json) -> None:
    """Fail, with all faults, unless both read a resource, and what R4 reads is what was sent."""
    assert faults(resource) == [], resource


def faults(resource: Json) -> list[str]:
    """The faults that the readers see in a resource; those of the same text are looked for once."""
    return list(_faults_of(json.dumps(resource, sort_keys=True)))


@lru_cache(20_000)
def _faults_of(text: str) -> tuple[str, ...]:
    return (*_faults_in_r4(json.loads(text)), *_faults_in_r4b(json.loads(text)))


def _faults_in_r4(resource: Json) -> Iterator[str]:
    """Refusals of `fhirclient`, and members that it does not read back: nulls and empty arrays."""
    logging.getLogger("fhirclient.models.fhirabstractbase").setLevel(logging.ERROR)
    kind = resource["resourceType"]
    try:
        read = FHIRElementFactory.instantiate(kind, json.loads(json.dumps(resource))).as_json()
    except FHIRValidationError as error:
        yield f"R4 {kind}: {error}"
        return
    yield from (
        f"R4 {kind}.{name}: not read back" for name in resource.keys() | read.keys() if _differ(name, resource, read)
    )


def _differ(name: str, sent: Json, read: Json) -> bool:
    return (name in sent) != (name in read) or bool(sent[name] != read[name])


def _faults_in_r4b(resource: Json) -> Iterator[str]:
    kind = resource["resourceType"]
    try:
        model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        yield from _other_codes(kind, model.model_validate(resource))
    except (ValidationError, ImportError) as error:
        yield f"R4B {kind}: {error}"
    if kind == "OperationOutcome":
        codes = {str(each.get("code")) for each in resource.get("issue", [])}
        yield from (f"OperationOutcome.issue.code: {code}" for code in sorted(codes - ISSUE_TYPES))


def _other_codes(path: str, read: BaseModel) -> Iterator[str]:
    """The codes in a resource that are not among those to which FHIR binds their elements."""
    for name, element in type(read).model_fields.items():
        known = element.json_schema_extra.get("enum_values") if isinstance(element.json_schema_extra, dict) else None
        value = getattr(read, name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, BaseModel):
                yield from _other_codes(f"{path}.{name}", each)
            elif isinstance(known, list) and each is not None and each not in known:
                yield f"R4B {path}.{name}: {each}"
