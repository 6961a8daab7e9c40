"""Changes to a case as actions on FHIR resources.

A charge is created as a ChargeItem; if the lines are on a Claim, one update carries the whole corrected Claim. The
client's own JSON is kept: unchanged members, unknown ones included, go back as received. Tests validate the resources
made here for every case and for arbitrary data (`tests/unit/test_outbound_fhir.py`); calls do not, since that takes
0.1 ms for each resource and loading the models a third of a second at start.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from cds_service.cdshooks.messages import Action
from cds_service.cdshooks.size_limits import is_too_deep
from cds_service.core.case import Case, Line, Stage
from cds_service.core.changes import (
    AddLine,
    AddModifier,
    Change,
    RemoveLine,
    RemoveModifier,
    RemoveOrder,
    ReplaceCode,
    SetUnits,
)
from cds_service.fhir.checks import UNREADABLE
from cds_service.fhir.systems import billing_uri, kind

_EXACT = msgspec.json.Decoder(float_hook=Decimal)

# What a new claim line takes over from the line beside it: whose work it is, for what, where and when.
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

# ChargeItem.service may point at these; other records go to supportingInformation.
_SERVICE_TYPES = ("Procedure/", "DiagnosticReport/", "ImagingStudy/", "MedicationAdministration/", "Observation/")


def fhir_actions(changes: Iterable[Change], case: Case, raw: Mapping[str, msgspec.Raw]) -> tuple[Action, ...]:
    """The actions that carry out changes which belong together; empty where one of them cannot be carried out.

    `raw` is the client's own JSON by the place of each resource. All changes of one resource are one update of it.
    """
    updated: dict[str, dict[str, Any]] = {}
    said: dict[str, list[str]] = {}
    done: list[Action] = []
    for change in _removals_last(changes):
        place = _resource_changed_by(change)
        if place is None:
            action = _create_or_delete(change, case)
            if action is None:
                return ()
            done.append(action)
            continue
        if place not in updated:
            resource = _whole(raw[place])
            if resource is None:
                return ()
            updated[place] = resource
        _change(updated[place], change)
        said.setdefault(place, []).append(str(change))
    if any(resource["resourceType"] == "ChargeItem" and "id" not in resource for resource in updated.values()):
        return ()
    updates = [
        Action(type="update", description=_sentence("; ".join(said[place] + _left_alone(resource))), resource=resource)
        for place, resource in updated.items()
    ]
    return (*updates, *done)


def _whole(raw: msgspec.Raw) -> dict[str, Any] | None:
    """A resource with all its members; None where one is beyond what can be written back as it came.

    Rules read only parts of it, and those were readable.
    """
    if is_too_deep(bytes(raw)):
        return None
    try:
        resource: dict[str, Any] = _EXACT.decode(raw)
    except (*UNREADABLE, ArithmeticError):
        return None
    return resource


def allowed_changes(changes: Iterable[Change], case: Case) -> list[Change]:
    """The changes that a site takes: where orders instead of charges, no supply, for no advice orders a drug."""
    takes_orders = case.stage == "order" and case.site.order_suggestions == "ServiceRequest"
    return [change for change in changes if not (takes_orders and isinstance(change, AddLine) and change.is_supply)]


def _left_alone(resource: dict[str, Any]) -> list[str]:
    """Prices are the client's: a claim that states some goes back with them, and says so."""
    states_amounts = "total" in resource or any("net" in item for item in resource.get("item") or [])
    return ["amounts of money are left as they were"] if states_amounts else []


def _removals_last(changes: Iterable[Change]) -> list[Change]:
    """Items are found by their position, so those that go, go last and from the end."""
    every = list(changes)
    removals = [change for change in every if isinstance(change, RemoveLine)]
    kept = [change for change in every if not isinstance(change, RemoveLine)]
    return kept + sorted(removals, key=lambda change: _positions(change.line), reverse=True)


def _resource_changed_by(change: Change) -> str | None:
    """The place of the resource that a change rewrites; None where it creates or deletes one."""
    if isinstance(change, RemoveOrder):
        return None
    line = change.beside if isinstance(change, AddLine) else change.line
    rewrites = line is not None and (bool(line.claim) or not isinstance(change, AddLine | RemoveLine))
    return line.origin.resource if line is not None and rewrites else None


def _change(resource: dict[str, Any], change: Change) -> None:
    if resource["resourceType"] == "Claim":
        _change_claim(resource, change)
    else:
        _change_charge(resource, change)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- claims ---------------------------------------------------------------------------------------------------------


def _positions(line: Line) -> list[int]:
    return [int(number) for number in re.findall(r"\[(\d+)\]", line.origin.within)]


def _change_claim(claim: dict[str, Any], change: Change) -> None:
    if isinstance(change, AddLine):
        _add_item(claim, change)
    elif isinstance(change, RemoveLine):
        _remove_item(claim, change.line)
    elif not isinstance(change, RemoveOrder):
        container, position = _find(claim, change.line)
        _change_item(container[position], change)


def _change_item(item: dict[str, Any], change: ReplaceCode | SetUnits | AddModifier | RemoveModifier) -> None:
    if isinstance(change, ReplaceCode):
        item["productOrService"] = _concept(change.code)
    elif isinstance(change, SetUnits):
        _set_units(item, change.units)
    elif isinstance(change, AddModifier):
        item["modifier"] = [*(item.get("modifier") or []), {"coding": [{"code": change.modifier}]}]
    else:
        item["modifier"] = [each for each in item.get("modifier") or [] if not _names(each, change.modifier)]
        if not item["modifier"]:
            del item["modifier"]


def _names(concept: dict[str, Any], modifier: str) -> bool:
    return any(str(coding.get("code", "")).upper() == modifier for coding in concept.get("coding") or [])


def _find(claim: dict[str, Any], line: Line) -> tuple[list[dict[str, Any]], int]:
    """The list that holds a line's item or detail, and the position in it."""
    *outer, position = _positions(line)
    container: list[dict[str, Any]] = claim["item"]
    for level, member in zip(outer, ("detail", "subDetail"), strict=False):
        container = container[level][member]
    return container, position


def _remove_item(claim: dict[str, Any], line: Line) -> None:
    container, position = _find(claim, line)
    del container[position]
    if not claim["item"]:
        del claim["item"]  # FHIR knows no empty lists


def _add_item(claim: dict[str, Any], change: AddLine) -> None:
    items: list[dict[str, Any]] = claim["item"]  # the line beside which it stands is one of them
    neighbour = items[_positions(change.beside)[0]] if change.beside else {}
    item: dict[str, Any] = {"sequence": 1 + max((_sequence(each) for each in items), default=0)}
    item |= {member: neighbour[member] for member in _SHARED_MEMBERS if member in neighbour}
    item["productOrService"] = _concept(change.code)
    if change.modifiers:
        item["modifier"] = [{"coding": [{"code": modifier}]} for modifier in change.modifiers]
    if change.units is not None:
        item["quantity"] = {"value": _number(change.units)}
    items.append(item)


def _sequence(item: dict[str, Any]) -> int:
    value = item.get("sequence")
    return value if isinstance(value, int) else 0


# --- charge items ---------------------------------------------------------------------------------------------------


def _create_or_delete(change: Change, case: Case) -> Action | None:
    """The action that creates a ChargeItem or deletes a resource, or None where the client gave no id to delete."""
    if isinstance(change, AddLine):
        make = _ORDER_TIME[case.site.order_suggestions] if case.stage == "order" else charge_item
        return Action(type="create", description=_sentence(str(change)), resource=make(change, case))
    target = change.order if isinstance(change, RemoveOrder) else change.line
    return _delete(str(change), target.identity)


def _change_charge(resource: dict[str, Any], change: Change) -> None:
    if isinstance(change, ReplaceCode):
        resource["code"] = _recoded(resource.get("code"), change.code)
    elif isinstance(change, SetUnits):
        _set_units(resource, change.units)
    elif isinstance(change, AddModifier):
        code = resource["code"]
        resource["code"] = {**code, "coding": [*code["coding"], {"code": change.modifier}]}
    elif isinstance(change, RemoveModifier):
        resource["code"] = _without_modifier(resource["code"], change.modifier)
        _remove_extension(resource, change.modifier)


def _without_modifier(concept: dict[str, Any], modifier: str) -> dict[str, Any]:
    """A charge's code without a modifier, whether it is a coding of its own or written behind the code."""
    kept = [coding for coding in concept["coding"] if str(coding.get("code", "")).upper() != modifier]
    behind = re.compile(rf"^(.{{5}}.*?)[-: ]?{modifier}", re.IGNORECASE)
    rewritten = [coding | {"code": behind.sub(r"\1", coding["code"])} for coding in kept if coding.get("code")]
    return {**concept, "coding": rewritten}


def _remove_extension(resource: dict[str, Any], modifier: str) -> None:
    extensions = resource.pop("extension", None) or []
    kept = [each for each in extensions if "modifier" not in str(each.get("url")).lower() or modifier not in str(each)]
    if kept:
        resource["extension"] = kept


def _delete(description: str, identity: str) -> Action | None:
    if not _has_id(identity):
        return None
    return Action(type="delete", description=_sentence(description), resource_id=identity)


def _has_id(identity: str) -> bool:
    return re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9\-.]{1,64}", identity) is not None


def charge_item(change: AddLine, case: Case) -> dict[str, Any]:
    """A new charge: planned at order time, billable at claim time. Quantities are HCPCS units."""
    resource: dict[str, Any] = {
        "resourceType": "ChargeItem",
        "status": _STATUS[case.stage],
        "code": _concept(change.code, change.modifiers),
        "subject": {"reference": case.patient} if case.patient else {"display": "the patient of this call"},
        "context": _reference(change.encounter),
        "occurrenceDateTime": change.day.isoformat() if change.day else None,
        "performer": [{"actor": {"reference": each}} for each in sorted(change.performers) if "/" in each],
        "quantity": {"value": _number(change.units)} if change.units is not None else None,
        "service": [{"reference": each} for each in change.about if each.startswith(_SERVICE_TYPES)],
        "supportingInformation": [{"reference": each} for each in change.about if not each.startswith(_SERVICE_TYPES)],
    }
    return {member: value for member, value in resource.items() if value not in (None, [])}


def service_request(change: AddLine, case: Case) -> dict[str, Any]:
    """A draft order, for sites that cannot take a charge at order time."""
    resource: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": _concept(change.code, change.modifiers),
        "subject": {"reference": case.patient} if case.patient else {"display": "the patient of this call"},
        "encounter": _reference(change.encounter),
        "occurrenceDateTime": change.day.isoformat() if change.day else None,
        "supportingInfo": [{"reference": each} for each in change.about],
    }
    return {member: value for member, value in resource.items() if value not in (None, [])}


_ORDER_TIME = {"ChargeItem": charge_item, "ServiceRequest": service_request}

_STATUS: dict[Stage, str] = {"order": "planned", "claim": "billable"}


def _reference(target: str | None) -> dict[str, str] | None:
    return {"reference": target} if target and "|" not in target else None


def _concept(code: str, modifiers: tuple[str, ...] = ()) -> dict[str, Any]:
    codings = [{"system": billing_uri(code), "code": code}]
    return {"coding": codings + [{"code": modifier} for modifier in modifiers]}


def _recoded(concept: Any, code: str) -> dict[str, Any]:
    """A charge's code with the billing code replaced; modifiers and local codes beside it stay."""
    codings = concept.get("coding", []) if isinstance(concept, dict) else []
    kept = [each for each in codings if kind(each.get("system")) != "billing" or len(each.get("code") or "") == 2]
    return {"coding": [{"system": billing_uri(code), "code": code}, *kept]}


def _set_units(item: dict[str, Any], units: Decimal) -> None:
    item["quantity"] = {**(item.get("quantity") or {}), "value": _number(units)}


def _number(units: Decimal) -> int | Decimal:
    return int(units) if units == units.to_integral_value() else units
