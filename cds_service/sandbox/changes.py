"""Changes to the request of a case: an accepted suggestion or an edited line, each with its differences.

It acts as a small EHR: a created resource gets an id and is added where the EHR would send it next time.
"""

import copy
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec

from cds_service.cdshooks.actions import fhir_actions
from cds_service.cdshooks.messages import Action
from cds_service.cdshooks.services import Service
from cds_service.core.case import Administration, Line, Record
from cds_service.core.changes import AddLine, AddModifier, Change, RemoveLine, RemoveModifier, ReplaceCode, SetUnits
from cds_service.core.notation import is_billing_code
from cds_service.errors import BadRequest
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import with_entries
from cds_service.fhir.elements import OutOfRange, amount
from cds_service.languages.worded import worded
from cds_service.review.advisor import Answer
from cds_service.review.reference import Part
from cds_service.sandbox.json_paths import Json, at, entries_of, put, reference_of

_CONTEXT_LINES = 2


class Difference(Part):
    """The difference of one resource: lines of JSON with a `+`, `-` or blank prefix, `…` for omitted lines."""

    reference: str
    change: str
    lines: tuple[str, ...]


class ChangedRequest(Part):
    """A request after a change, with the differences."""

    request: Json
    differences: tuple[Difference, ...]


class Edit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The form of a line or of an administration; fields that are None stay unchanged.

    `path` and `within` locate it, both empty for a new line. `remove` deletes the line.
    """

    path: str = ""
    within: str = ""
    code: str | None = None
    units: str | None = None
    modifiers: tuple[str, ...] | None = None
    day: str | None = None
    ml: str | None = None
    remove: bool = False


# --- suggestions ----------------------------------------------------------------------------------------------------


def accepted(request: Json, service: Service, actions: Sequence[Action]) -> ChangedRequest:
    """A request after the actions of a suggestion. Raises BadRequest if an action cannot be applied."""
    _require_parts(request, service)
    after = copy.deepcopy(request)
    for action in actions:
        resource = json.loads(msgspec.json.Encoder(decimal_format="number").encode(action.resource or {}))
        if action.type != "delete" and not isinstance(resource.get("resourceType"), str):
            raise BadRequest(worded("`actions`: expected a resource with a `resourceType`"), "actions")
        if action.type == "create":
            _create(after, service, resource)
        elif action.type == "update":
            _update(after, resource)
        else:
            _delete(after, action.resource_id or "")
    return ChangedRequest(after, tuple(_differences(request, after)))


def _require_parts(request: Json, service: Service) -> None:
    """Require `context`, `prefetch` and the draft to be objects. Raises BadRequest."""
    for part, value in (("context", request.get("context")), ("prefetch", request.get("prefetch") or {})):
        if not isinstance(value, dict):
            raise BadRequest(worded("`{part}`: expected an object", part=part), part)
    draft = request["context"].get(service.context_bundle) if service.context_bundle else {}
    if not isinstance(draft, dict):
        place = f"context.{service.context_bundle}"
        raise BadRequest(worded("`{place}`: expected a FHIR Bundle", place=place), place)


def _create(request: Json, service: Service, resource: Json) -> None:
    """Add a resource to the draft if it is a draft, else to the record. Raises BadRequest if no key takes its type."""
    taken = {reference_of(entry["resource"]) for _, entry in _entries(request)}
    kind = resource["resourceType"]
    numbers = (f"new-{number}" for number in range(1, 10_000))
    resource = {"resourceType": kind, "id": next(each for each in numbers if f"{kind}/{each}" not in taken)} | resource
    entry = {"resource": resource}
    of_draft = service.context_bundle and (service.stage == "claim" or kind.endswith("Request"))
    if of_draft and service.context_bundle:
        bundle = request["context"][service.context_bundle]
        request["context"][service.context_bundle] = with_entries(bundle, [*(bundle.get("entry") or []), entry])
        return
    keys = [key for key, template in service.prefetch.items() if re.split(r"[/?]", template)[0] == kind]
    if not keys:
        raise BadRequest(worded("`actions`: this request has no prefetch key for this resource type"), "actions")
    (key,) = keys
    prefetch = request.setdefault("prefetch", {}) or {}
    bundle = prefetch.get(key) or {"resourceType": "Bundle", "type": "searchset"}
    prefetch[key] = with_entries(bundle, [*(bundle.get("entry") or []), entry])
    request["prefetch"] = prefetch


def _update(request: Json, resource: Json) -> None:
    """Replace every copy of the resource; one without an id must be the only one of its type."""
    same = [
        entry
        for _, entry in _entries(request)
        if entry["resource"]["resourceType"] == resource["resourceType"]
        and entry["resource"].get("id") == resource.get("id")
    ]
    if not same or (len(same) > 1 and not resource.get("id")):
        raise BadRequest(worded("`actions`: the resource to be updated is not in this case"), "actions")
    for entry in same:
        entry["resource"] = resource


def _delete(request: Json, reference: str) -> None:
    is_found = False
    for holder, name in _bundles(request):
        bundle = holder[name]
        every = bundle.get("entry") or []
        kept = [entry for entry in every if reference_of(entry.get("resource") or {}) != reference]
        if len(kept) < len(every):
            is_found = True
            holder[name] = with_entries(bundle, kept)
    if not is_found:
        raise BadRequest(worded("`actions`: the resource to be deleted is not in this case"), "actions")


def _bundles(request: Json) -> list[tuple[Json, str]]:
    """Every Bundle, as the part of the request that holds it and its name there."""
    parts = [request.get(part) or {} for part in ("context", "prefetch")]
    return [
        (part, name)
        for part in parts
        for name, value in part.items()
        if isinstance(value, dict) and value.get("resourceType") == "Bundle"
    ]


def _entries(request: Json) -> Iterator[tuple[str, Json]]:
    """Every entry of every Bundle, with the path of the Bundle."""
    for part in ("context", "prefetch"):
        for name, value in (request.get(part) or {}).items():
            yield from ((f"{part}.{name}", entry) for entry in entries_of(value))


# --- edits ----------------------------------------------------------------------------------------------------------


def edited(request: Json, service: Service, answer: Answer, edit: Edit) -> ChangedRequest:
    """A request after an edit of a line or administration. Raises BadRequest naming the invalid field."""
    if not edit.path:
        return accepted(request, service, _actions([_new_line(edit, answer)], answer))
    record = _record(answer, edit)
    if edit.remove and isinstance(record, Line):
        return accepted(request, service, _actions([RemoveLine(record)], answer))
    after = copy.deepcopy(request)
    resource = at(after, edit.path)
    if isinstance(record, Line):
        for action in _actions(list(_line_changes(record, edit)), answer):
            resource = json.loads(msgspec.json.Encoder(decimal_format="number").encode(action.resource))
    _set_day_and_volume(resource, record, edit)
    if resource.get("id"):
        _update(after, resource)
    else:
        put(after, edit.path, resource)
    return ChangedRequest(after, tuple(_differences(request, after)))


def _record(answer: Answer, edit: Edit) -> Record:
    case = answer.parsed.case
    for record in (*case.lines, *case.administrations):
        if (record.origin.resource, record.origin.within) == (edit.path, edit.within):
            return record
    raise BadRequest(worded("`path`: no charge or administration at this path"), "path")


def _actions(changes: Sequence[Change], answer: Answer) -> tuple[Action, ...]:
    if not changes:
        return ()
    actions = fhir_actions(changes, answer.parsed.case, answer.parsed.raw)
    if not actions:
        raise BadRequest(worded("`path`: this charge has no id and cannot be changed"), "path")
    return actions


def _line_changes(line: Line, edit: Edit) -> Iterator[Change]:
    if edit.units is not None and (units := _number(edit.units, "units")) != line.units:
        yield SetUnits(line, units)
    if edit.modifiers is not None:
        wanted = _modifiers(edit.modifiers)
        yield from (RemoveModifier(line, each) for each in line.modifiers if each not in wanted)
        yield from (AddModifier(line, each) for each in wanted if each not in line.modifiers)
    if edit.code is not None and (code := _code(edit.code)) != line.code:
        yield ReplaceCode(line, code)


def _new_line(edit: Edit, answer: Answer) -> AddLine:
    """A charge on the claim of the open lines, if any, on their date unless the edit gives one."""
    case = answer.parsed.case
    lines = [line for line in case.lines if line.under_review and line.open]
    beside = next((line for line in lines if line.claim), None)
    days = [line.day for line in lines if line.day]
    return AddLine(
        code=_code(edit.code or ""),
        units=_number(edit.units or "1", "units"),
        modifiers=_modifiers(edit.modifiers or ()),
        sibling=beside,
        day=_day(edit.day) if edit.day else next(iter(days), None),
        performers=frozenset(next((line.performers for line in lines), ())),
        encounter=case.encounter or next((line.encounter for line in lines if line.encounter), None),
    )


def _set_day_and_volume(resource: Json, record: Record, edit: Edit) -> None:
    """Set the date and the volume, which no suggestion changes."""
    if edit.day:
        _set_day(resource, record, _day(edit.day).isoformat())
    if edit.ml is not None and isinstance(record, Administration):
        amount = _number(edit.ml, "ml")
        value = int(amount) if amount == amount.to_integral_value() else float(amount)
        dose = {"value": value, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
        resource["dosage"] = (resource.get("dosage") or {}) | {"dose": dose}


def _set_day(resource: Json, record: Record, day: str) -> None:
    if isinstance(record, Administration):
        member, others, holder = "effectiveDateTime", "effectivePeriod", resource
    elif resource["resourceType"] in {"Claim", "ExplanationOfBenefit"}:
        member, others, holder = "servicedDate", "servicedPeriod", at(resource, record.origin.within.split(".")[0])
    else:
        member, others, holder = "occurrenceDateTime", "occurrencePeriod occurrenceTiming", resource
    for name in others.split():
        holder.pop(name, None)
    if not str(holder.get(member, "")).startswith(day):
        holder[member] = day


def _code(text: str) -> str:
    code = text.strip().upper()
    if not is_billing_code(code):
        raise BadRequest(worded("`code`: expected a billing code of five letters or digits"), "code")
    return code


def _modifiers(texts: Iterable[str]) -> tuple[str, ...]:
    modifiers = tuple(dict.fromkeys(text.strip().upper() for text in texts if text.strip()))
    if not all(re.fullmatch(r"[A-Z0-9]{2}", each) for each in modifiers):
        raise BadRequest(worded("`modifiers`: expected two letters or digits each, separated by commas"), "modifiers")
    return modifiers


def _number(text: str, field: str) -> Decimal:
    try:
        number = amount(r.Quantity(value=Decimal(text.strip().replace(",", "."))))
    except (InvalidOperation, OutOfRange):
        number = None
    if not number:
        raise BadRequest(
            worded("`{field}`: expected a number above 0, such as {example}", field=field, example="2"), field
        )
    return number


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadRequest(worded("`day`: expected a date as YYYY-MM-DD"), "day") from None


# --- differences ----------------------------------------------------------------------------------------------------


def _differences(before: Json, after: Json) -> Iterator[Difference]:
    """One difference for each added, changed or removed resource."""
    old, new = _by_name(before), _by_name(after)
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            change = "added" if name not in old else "removed" if name not in new else "changed"
            yield Difference(name, change, tuple(_diff(old.get(name), new.get(name))))


def _by_name(request: Json) -> dict[str, Json]:
    """Resources by reference, or by type and position if they have no id."""
    named: dict[str, Json] = {}
    for number, (path, entry) in enumerate(_entries(request)):
        named[reference_of(entry["resource"]) or f"{entry['resource']['resourceType']} in {path} ({number})"] = entry[
            "resource"
        ]
    return named


def _diff(before: Json | None, after: Json | None) -> Iterator[str]:
    one, other = (_printed(each) if each is not None else [] for each in (before, after))
    lines = list(difflib.unified_diff(one, other, n=_CONTEXT_LINES, lineterm=""))[2:]
    whole = before is None or after is None
    yield from ("…" if line.startswith("@@") else line for line in lines if not (whole and line.startswith("@@")))


def _printed(resource: Json) -> list[str]:
    return json.dumps(resource, indent=2, ensure_ascii=False).splitlines()
