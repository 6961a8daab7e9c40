"""Paths of resources in a request, as the service reports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Steps = tuple[str | int, ...]

# What the rules of this service look at; the rest is read for nothing.
CHARGES = frozenset({"ChargeItem", "Claim", "ExplanationOfBenefit"})
RECORDS = CHARGES | {
    "MedicationAdministration", "Procedure", "ServiceRequest", "MedicationRequest", "Medication", "Coverage",
    "Observation", "DiagnosticReport", "ImagingStudy", "Condition", "DocumentReference", "Encounter", "Patient",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A resource of a request: the steps that lead to it, and how a warning names it."""

    steps: Steps
    location: str


def at(tree: Any, steps: Steps) -> Any:
    """The value at the end of the steps."""
    for step in steps:
        tree = tree[step]
    return tree


def path_of(steps: Steps) -> str:
    """Steps as the service writes them: `context.draftCharges.entry[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def resources(request: Any) -> Iterator[Place]:
    """Every resource of a call, or of a Bundle that came without one; whatever else stands there is passed over."""
    if not isinstance(request, dict):
        return
    if request.get("resourceType") == "Bundle":
        yield from _entries(request, (), "Bundle")
        return
    for steps in containers(request):
        value = at(request, steps)
        if is_resource(value) and value["resourceType"] == "Bundle":
            yield from _entries(value, steps, path_of(steps))
        elif is_resource(value):
            yield Place(steps, path_of(steps))


def containers(request: Any) -> Iterator[Steps]:
    """Containers of resources: the draft, and each key of prefetch."""
    for member in ("draftOrders", "draftCharges"):
        if member in _members(request, "context"):
            yield "context", member
    for key in _members(request, "prefetch"):
        yield "prefetch", key


def _members(request: Any, name: str) -> list[str]:
    return list(request[name]) if isinstance(request.get(name), dict) else []


def is_resource(value: Any) -> bool:
    """True if a value is a resource with a type."""
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _entries(bundle: Any, steps: Steps, location: str) -> Iterator[Place]:
    entries = bundle.get("entry")
    for position, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and is_resource(entry.get("resource")):
            yield Place((*steps, "entry", position, "resource"), f"{location}.entry[{position}].resource")


def related(one: str, other: str) -> bool:
    """True if one of two paths equals or contains the other."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) : len(short) + 1] in {"", ".", "["}
