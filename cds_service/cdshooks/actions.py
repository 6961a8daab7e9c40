"""Converts changes to a case into CDS Hooks actions on FHIR resources.

A charge is created as a ChargeItem; changes to a Claim become one update with the whole corrected Claim. Unchanged
members of the original JSON, including unknown ones, are returned as received. Created resources are validated in tests
only (`tests/unit/test_outbound_fhir.py`): validation takes 0.1 ms per resource, and loading the models a third of a
second at startup.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from cds_service.cdshooks.messages import Action
from cds_service.cdshooks.size_limits import is_too_deep
from cds_service.core.case import Case, Line, Origin, Stage
from cds_service.core.changes import (
    AddLine,
    Change,
    LineChange,
    RemoveLine,
    RemoveOrder,
    changed,
)
from cds_service.fhir.checks import DECODE_ERRORS
from cds_service.fhir.systems import billing_uri
from cds_service.fhir.writing import Holder, Json, Mappings, is_read_as, number, write
from cds_service.languages.worded import Worded, capitalized, joined, shortened, worded

_EXACT = msgspec.json.Decoder(float_hook=Decimal)

# Members that a new claim line copies from its sibling: care team, diagnoses, path and date of service.
_SHARED_MEMBERS = (
    "careTeamSequence",
    "diagnosisSequence",
    "procedureSequence",
    "informationSequence",
    "servicedDate",
    "servicedPeriod",
    "locationCodeableConcept",
    "locationAddress",
    "locationReference",
    "encounter",
)

# Allowed targets of ChargeItem.service; other records go to supportingInformation.
_SERVICE_TYPES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/", "MedicationAdministration/", "Observation/")


MOST_ACTIONS = 50  # of one fix: nobody looks through more of them
MOST_BYTES = 4_000_000  # of the resources in the actions of one answer, which repeat a whole claim for each fix
LONG_ANSWER = f"an answer holds {MOST_ACTIONS} actions of a fix, and {MOST_BYTES:,} bytes of changed resources"


@dataclass(slots=True)
class ActionRoom:
    """Room for the actions of one answer: the bytes of changed resources that are left, and the fixes left without.

    The first fix has room, however large its claim.
    """

    left: int = MOST_BYTES
    refused: int = 0

    def takes(self, changes: Collection[Change], raw: Mapping[str, msgspec.Raw]) -> bool:
        """True if the actions of these changes have room; their bytes are then taken."""
        paths = [_resource_changed_by(change) for change in changes]
        updated = set(paths) - {None}
        size = sum(len(bytes(raw[path])) for path in updated if path is not None)
        if len(updated) + paths.count(None) > MOST_ACTIONS or (size > self.left < MOST_BYTES):
            self.refused += 1
            return False
        self.left -= size
        return True


def fhir_actions(
    changes: Collection[Change],
    case: Case,
    raw: Mapping[str, msgspec.Raw],
    room: ActionRoom | None = None,
    say: Callable[[str], str] = str,
) -> tuple[Action, ...]:
    """The actions for a set of changes; empty if one of the changes cannot be expressed, or has no `room`.

    `raw` is the original JSON of each resource by path. All changes to a resource become one update. `say` says the
    descriptions, in English by default.
    """
    if room and not room.takes(changes, raw):
        return ()
    updates = _Updates(raw, case.site.mappings)
    actions: list[Action] = []
    for change in _removals_last(changes):
        path = _resource_changed_by(change)
        if path is not None:
            if not updates.add(path, change):
                return ()
            continue
        action = _create_or_delete(change, case, say)
        if action is None:
            return ()
        actions.append(action)
    return (*updates.actions(say), *actions) if updates.take_effect() else ()


class _Updates:
    """The resources that changes update, as JSON with all that was sent, and the lines that the changes promise."""

    def __init__(self, raw: Mapping[str, msgspec.Raw], mappings: Mappings) -> None:
        self.raw = raw
        self.mappings = mappings
        self.resources: dict[str, Json] = {}
        self.described: dict[str, list[Worded]] = {}
        self.promised: dict[Origin, tuple[Line, Holder, Json]] = {}

    def add(self, path: str, change: Change) -> bool:
        """Make a change; false if the resource cannot be changed."""
        resource = self.resources.get(path) or _editable(self.raw[path])
        if resource is None:
            return False
        self.resources[path] = resource
        self.described.setdefault(path, []).append(change.words)
        if isinstance(change, AddLine):
            _add_item(resource, change)
        elif isinstance(change, RemoveLine):
            _remove_item(resource, change.line)
        elif not isinstance(change, RemoveOrder):
            return self._write(resource, change)
        return True

    def _write(self, resource: Json, change: LineChange) -> bool:
        line, holder, written = self.promised.get(change.line.origin) or _place_of(resource, change.line)
        try:
            write(holder, written, change, self.mappings)
        except DECODE_ERRORS:
            return False
        self.promised[change.line.origin] = changed(line, change), holder, written
        return True

    def take_effect(self) -> bool:
        """True if each changed line is read again as promised, and no update lacks the id of its charge."""
        is_sent = all(each["resourceType"] != "ChargeItem" or "id" in each for each in self.resources.values())
        return is_sent and all(
            is_read_as(line, holder, written, self.mappings) for line, holder, written in self.promised.values()
        )

    def actions(self, say: Callable[[str], str]) -> Iterator[Action]:
        """One update for each resource."""
        for path, resource in self.resources.items():
            notes = [_described(self.described[path], say), *map(say, _amounts_note(resource))]
            yield Action(type="update", description="; ".join(notes), resource=resource)


def _described(changes: Iterable[Worded], say: Callable[[str], str]) -> str:
    return shortened(say(capitalized(joined("; ", changes))))


def _editable(raw: msgspec.Raw) -> Json | None:
    """A resource with all its members; None if it cannot be decoded and encoded without loss, or is closed to changes.

    Members that rules do not use may be too deep or out of range. An ExplanationOfBenefit states what was billed.
    """
    if is_too_deep(bytes(raw)):
        return None
    try:
        resource: Json = _EXACT.decode(raw)
    except (*DECODE_ERRORS, ArithmeticError):
        return None
    return None if resource["resourceType"] == "ExplanationOfBenefit" else resource


def allowed_changes(changes: Iterable[Change], case: Case) -> list[Change]:
    """The changes that the site accepts: no supply if it accepts orders only, since advice never orders a drug."""
    takes_orders = case.stage == "order" and case.site.order_suggestions == "ServiceRequest"
    return [change for change in changes if not (takes_orders and isinstance(change, AddLine) and change.is_supply)]


def _amounts_note(resource: Json) -> list[Worded]:
    """A note for claims with amounts, which are returned unchanged: pricing is up to the client."""
    states_amounts = "total" in resource or any("net" in item for item in resource.get("item") or [])
    return [worded("monetary amounts are unchanged")] if states_amounts else []


def _removals_last(changes: Iterable[Change]) -> list[Change]:
    """The changes with removals last, from the end: items are found by position."""
    every = list(changes)
    removals = [change for change in every if isinstance(change, RemoveLine)]
    kept = [change for change in every if not isinstance(change, RemoveLine)]
    return kept + sorted(removals, key=lambda change: _positions(change.line), reverse=True)


def _resource_changed_by(change: Change) -> str | None:
    """The path of the resource that a change updates; None if it creates or deletes one."""
    if isinstance(change, RemoveOrder):
        return None
    line = change.sibling if isinstance(change, AddLine) else change.line
    rewrites = line is not None and (bool(line.claim) or not isinstance(change, AddLine | RemoveLine))
    return line.origin.resource if line is not None and rewrites else None


# --- claims ---------------------------------------------------------------------------------------------------------


def _positions(line: Line) -> list[int]:
    return [int(number) for number in re.findall(r"\[(\d+)\]", line.origin.within)]


def _place_of(resource: Json, line: Line) -> tuple[Line, Holder, Json]:
    """A line with the JSON that holds it: an item or a detail of a claim, or the charge itself."""
    if resource["resourceType"] != "Claim":
        return line, "ChargeItem", resource
    container, position = _find(resource, line)
    return line, "Claim", container[position]


def _find(claim: Json, line: Line) -> tuple[list[Json], int]:
    """The list that contains a line's item or detail, and its position."""
    *outer, position = _positions(line)
    container: list[Json] = claim["item"]
    for level, member in zip(outer, ("detail", "subDetail"), strict=False):
        container = container[level][member]
    return container, position


def _remove_item(claim: Json, line: Line) -> None:
    container, position = _find(claim, line)
    del container[position]
    if not claim["item"]:
        del claim["item"]  # FHIR does not allow empty lists


def _add_item(claim: Json, change: AddLine) -> None:
    items: list[Json] = claim["item"]  # not empty: it contains the sibling
    sibling = items[_positions(change.sibling)[0]] if change.sibling else {}
    item: Json = {"sequence": 1 + max(map(_sequence, items))}
    item |= {member: sibling[member] for member in _SHARED_MEMBERS if member in sibling}
    item["productOrService"] = _concept(change.code)
    if change.modifiers:
        item["modifier"] = [{"coding": [{"code": modifier}]} for modifier in change.modifiers]
    if change.units is not None:
        item["quantity"] = {"value": number(change.units)}
    items.append(item)


def _sequence(item: Json) -> int:
    value = item.get("sequence")
    return value if isinstance(value, int) else 0


# --- charge items ---------------------------------------------------------------------------------------------------


def _create_or_delete(change: Change, case: Case, say: Callable[[str], str]) -> Action | None:
    """The action that creates a charge or deletes a resource; None if the resource has no id."""
    if isinstance(change, AddLine):
        make = _ORDER_TIME[case.site.order_suggestions] if case.stage == "order" else charge_item
        return Action(type="create", description=say(capitalized(change.words)), resource=make(change, case))
    target = change.order if isinstance(change, RemoveOrder) else change.line
    return _delete(say(capitalized(change.words)), target.identity)


def _delete(description: str, identity: str) -> Action | None:
    if not _has_id(identity):
        return None
    return Action(type="delete", description=description, resource_id=identity)


def _has_id(identity: str) -> bool:
    return re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9\-.]{1,64}", identity) is not None


def charge_item(change: AddLine, case: Case) -> Json:
    """A new ChargeItem: planned at order time, billable at claim time. The quantity is in HCPCS units."""
    resource: Json = {
        "resourceType": "ChargeItem",
        "status": _STATUS[case.stage],
        "code": _concept(change.code, change.modifiers),
        "subject": {"reference": case.patient} if case.patient else {"display": "the patient of this call"},
        "context": _reference(change.encounter),
        "occurrenceDateTime": change.day.isoformat() if change.day else None,
        "performer": [{"actor": {"reference": each}} for each in sorted(change.performers) if "/" in each],
        "quantity": {"value": number(change.units)} if change.units is not None else None,
        "service": [{"reference": each} for each in change.references if each.startswith(_SERVICE_TYPES)],
        "supportingInformation": [
            {"reference": each} for each in change.references if not each.startswith(_SERVICE_TYPES)
        ],
    }
    return {member: value for member, value in resource.items() if value not in (None, [])}


def service_request(change: AddLine, case: Case) -> Json:
    """A draft ServiceRequest, for sites that do not accept charges at order time."""
    resource: Json = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": _concept(change.code, change.modifiers),
        "subject": {"reference": case.patient} if case.patient else {"display": "the patient of this call"},
        "encounter": _reference(change.encounter),
        "occurrenceDateTime": change.day.isoformat() if change.day else None,
        "supportingInfo": [{"reference": each} for each in change.references],
    }
    return {member: value for member, value in resource.items() if value not in (None, [])}


_ORDER_TIME = {"ChargeItem": charge_item, "ServiceRequest": service_request}

_STATUS: dict[Stage, str] = {"order": "planned", "claim": "billable"}


def _reference(target: str | None) -> dict[str, str] | None:
    return {"reference": target} if target and "|" not in target else None


def _concept(code: str, modifiers: tuple[str, ...] = ()) -> Json:
    codings = [{"system": billing_uri(code), "code": code}]
    return {"coding": codings + [{"code": modifier} for modifier in modifiers]}
