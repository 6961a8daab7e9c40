"""Resources contained in others, decoded when a reference leads to them."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from cds_service.fhir import resources as r
from cds_service.fhir.checks import DECODE_ERRORS

ResourceT = TypeVar("ResourceT", bound=r.Resource)


class Substance(r.Resource, tag="Substance"):
    """A substance, as an ingredient of a medication."""

    code: r.CodeableConcept | None = None


def contained_of(kind: type[ResourceT], holder: r.Resource) -> Iterator[tuple[int, ResourceT]]:
    """The contained resources of a type, with their positions; `checks` reports those that cannot be decoded."""
    for position, raw in enumerate(holder.contained or ()):
        try:
            yield position, msgspec.json.decode(raw, type=kind)
        except DECODE_ERRORS:
            continue  # a resource of another type, or a faulty one


def contained_by(reference: r.Reference | None, kind: type[ResourceT], holder: r.Resource) -> ResourceT | None:
    """The contained resource of a type that `#id` refers to; None if there is none."""
    wanted = fragment_of(reference)
    return next((each for _, each in contained_of(kind, holder) if each.id == wanted), None) if wanted else None


def fragment_of(reference: r.Reference | None) -> str:
    """The id of a contained resource in a reference; empty if it does not refer to one."""
    written = (reference.reference if reference else None) or ""
    return written[1:] if written.startswith("#") else ""


def texts(values: Iterable[str | None]) -> Iterator[str]:
    """The texts that are not empty, without space around them."""
    return (value.strip() for value in values if value and value.strip())
