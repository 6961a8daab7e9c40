"""Mutations of a good request, and the expected reading of each result.

A mutation knows by what it does, and not by what the service makes of it, whether the result

    SAME      says the same in other words: the answer must be the same
    OTHER     says something else, or says less: it is readable FHIR, and the answer may be any good answer
    DAMAGED   holds something that is not FHIR: the answer must be the same, or say what could not be read

What is left out, null or empty says less and is not damaged: nothing that was sent is lost. `BROKEN_JSON` may end the
whole call with a 400 besides, since it is the body that is no JSON.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tests.fuzz import odd
from tests.fuzz.bases import MARK
from tests.fuzz.document import Document, encoded

Json = dict[str, Any]
Reads = Literal["SAME", "OTHER", "DAMAGED", "BROKEN_JSON"]
Random = random.Random

SAME: Reads = "SAME"
OTHER: Reads = "OTHER"
DAMAGED: Reads = "DAMAGED"
BROKEN_JSON: Reads = "BROKEN_JSON"


@dataclass(frozen=True)
class Mutation:
    """A change of one resource in place. `change` says whether it found something to change."""

    name: str
    reads: Reads
    change: Callable[[Document, Json, Random], bool]


MUTATIONS: list[Mutation] = []


def mutation(reads: Reads) -> Callable[[Callable[[Document, Json, Random], bool]], Callable[..., bool]]:
    """Take a function in among the mutations."""

    def take(change: Callable[[Document, Json, Random], bool]) -> Callable[..., bool]:
        MUTATIONS.append(Mutation(change.__name__, reads, change))
        return change

    return take


# --- finding a spot -------------------------------------------------------------------------------------------------

Spot = tuple[Any, Any]  # what holds the value, and the key or the position under which it stands


def spot(resource: Json, rng: Random) -> Spot | None:
    """Some value in a resource: any member with equal chance, and from there downwards."""
    members = [name for name in resource if name != "resourceType"]
    if not members:
        return None
    holder: Any = resource
    key: Any = rng.choice(members)
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.75:
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    return holder, key


def spots(value: Any) -> Iterator[Spot]:
    """Every value in another, the outer before the inner."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from spots(value[key])


def _any_of(resource: Json, rng: Random, wanted: Callable[[Any, Any], bool]) -> Spot | None:
    found = [(holder, key) for holder, key in spots(resource) if wanted(key, holder[key])]
    return rng.choice(found) if found else None


def _text_under(name: str, resource: Json, rng: Random) -> Spot | None:
    return _any_of(resource, rng, lambda key, value: key == name and isinstance(value, str))


def _is_text(key: Any, value: Any) -> bool:
    return isinstance(value, str) and key != "resourceType"


def _is_list(_: Any, value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_object(_: Any, value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?)?)?")
_DATES = {
    "occurrenceDateTime", "performedDateTime", "effectiveDateTime", "authoredOn", "servicedDate", "start", "end",
    "started", "date", "created", "enteredDate", "issued", "recordedDate",
}  # fmt: skip


def _is_date(key: Any, value: Any) -> bool:
    return key in _DATES and isinstance(value, str) and _DATE.fullmatch(value) is not None


def _set(found: Spot | None, value: Any) -> bool:
    """Write a value in the place of another; nothing where the place or the change is none."""
    if found is None:
        return False
    holder, key = found
    if type(holder[key]) is type(value) and holder[key] == value:
        return False
    holder[key] = value
    return True


# --- the same in other words ----------------------------------------------------------------------------------------


@mutation(SAME)
def turn_members_around(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of({"": resource}, rng, _is_object)
    if found is None:
        return False
    members = list(_value(found).items())
    rng.shuffle(members)
    _value(found).clear()
    _value(found).update(members)
    return True


@mutation(SAME)
def add_unknown_members(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of({"": resource}, rng, _is_object)
    return found is not None and _put(_value(found), f"_{MARK}", rng.choice(odd.UNKNOWN_MEMBERS))


@mutation(SAME)
def add_null_members(_: Document, resource: Json, rng: Random) -> bool:
    member = rng.choice(["encounter", "performer", "basedOn", "note", "contained", "extension", "id"])
    return member not in resource and _put(resource, member, None)


def _put(holder: Json, key: str, value: Any) -> bool:
    holder[key] = value
    return True


@mutation(SAME)
def escape_characters(document: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, _is_text)
    if found is None or not _value(found):
        return False
    escaped = "".join(f"\\u{ord(each):04x}" if ord(each) < 0xD800 else each for each in _value(found))
    return _set(found, document.piece(f'"{escaped}"'.encode()))


@mutation(SAME)
def write_numbers_otherwise(document: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, lambda key, value: key == "value" and _is_number(key, value))
    if found is None:
        return False
    value = _value(found)
    forms = [f"{value}e0", f"{value}E+00", f"{float(value)}00", f"{float(value)}000e0"]
    return _set(found, document.piece(rng.choice(forms).encode()))


@mutation(SAME)
def add_a_time_to_a_day(_: Document, resource: Json, rng: Random) -> bool:
    """The day is what the sender wrote, unless it is an instant in UTC before noon."""
    found = _any_of(resource, rng, lambda key, value: _is_date(key, value) and len(value) >= 10)
    return found is not None and _set(found, _value(found)[:10] + rng.choice(odd.TIMES))


# --- something else, or less ----------------------------------------------------------------------------------------


@mutation(OTHER)
def drop(_: Document, resource: Json, rng: Random) -> bool:
    found = spot(resource, rng)
    if found is None:
        return False
    del found[0][found[1]]
    return True


@mutation(OTHER)
def empty(_: Document, resource: Json, rng: Random) -> bool:
    found = spot(resource, rng)
    if found is None:
        return False
    value = _value(found)
    nothing = type(value)() if isinstance(value, str | list | dict) else None
    return _set(found, rng.choice([None, nothing]) if not isinstance(found[0], list) else nothing)


@mutation(OTHER)
def double_an_item(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, _is_list)
    if found is None:
        return False
    items = _value(found)
    items.insert(rng.randrange(len(items) + 1), rng.choice(items))
    return True


@mutation(OTHER)
def turn_items_around(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, _is_list)
    return found is not None and _set(found, _value(found)[::-1])


@mutation(OTHER)
def change_a_code(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_text_under("code", resource, rng), rng.choice(odd.CODES))


@mutation(OTHER)
def change_a_system(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_text_under("system", resource, rng), rng.choice(odd.SYSTEMS))


@mutation(OTHER)
def change_a_date(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_any_of(resource, rng, _is_date), rng.choice(odd.DATES))


@mutation(OTHER)
def change_a_number(document: Document, resource: Json, rng: Random) -> bool:
    return _set(_any_of(resource, rng, _is_number), document.piece(rng.choice(odd.NUMBERS).encode()))


@mutation(OTHER)
def turn_a_switch(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, lambda _, value: isinstance(value, bool))
    return found is not None and _set(found, not _value(found))


@mutation(OTHER)
def change_the_status(_: Document, resource: Json, rng: Random) -> bool:
    return "status" in resource and _set((resource, "status"), rng.choice(odd.STATUSES))


@mutation(OTHER)
def change_a_reference(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_text_under("reference", resource, rng), rng.choice(odd.REFERENCES))


@mutation(OTHER)
def swap_two_values(_: Document, resource: Json, rng: Random) -> bool:
    """Two texts change places where both are references, codes or dates."""
    key = rng.choice(["reference", "code", "display", "start"])
    found = [each for each in spots(resource) if each[1] == key and _is_text(*_pair(each))]
    if len(found) < 2:
        return False
    (one, _), (other, _) = rng.sample(found, 2)
    one[key], other[key] = other[key], one[key]
    return bool(one[key] != other[key])


def _value(found: Spot) -> Any:
    return found[0][found[1]]


def _pair(found: Spot) -> tuple[Any, Any]:
    return found[1], _value(found)


@mutation(OTHER)
def change_the_id(_: Document, resource: Json, rng: Random) -> bool:
    return _put(resource, "id", rng.choice(odd.IDS))


@mutation(OTHER)
def write_at_length(_: Document, resource: Json, rng: Random) -> bool:
    """Long texts, in all scripts, with what means something to Markdown, HTML, SQL, formats and shells."""
    found = _any_of(resource, rng, lambda key, value: key in {"text", "display", "div"} and _is_text(key, value))
    return _set(found, rng.choice(odd.WORDS))


@mutation(OTHER)
def write_a_member_twice(document: Document, resource: Json, rng: Random) -> bool:
    """JSON leaves open which of the two counts."""
    found = spot(resource, rng)
    if found is None or not isinstance(found[0], dict) or str(found[1]).startswith("\ue000"):
        return False
    holder, key = found
    others = [{"coding": [{"code": "93352"}]}, "active", "2026-03-01", None, [], {}, 3, holder[key]]
    twice = encoded({key: rng.choice(others)})[1:-1] + b',"x"'
    if rng.random() < 0.5:
        holder[document.piece(twice)] = 0
        return True
    members = dict(holder)
    holder.clear()
    holder[document.piece(twice)] = 0
    holder.update(members)
    return True


@mutation(OTHER)
def change_the_type(_: Document, resource: Json, rng: Random) -> bool:
    """Another type of R4: what is not needed is passed over, the rest is read as what it says it is."""
    return "resourceType" in resource and _set((resource, "resourceType"), rng.choice(odd.TYPES))


# --- damaged --------------------------------------------------------------------------------------------------------


def _of_another_kind(value: Any, rng: Random) -> Any:
    """Something that stands nowhere in FHIR where the value may stand."""
    own = {float, int, str} if _is_number("", value) else {type(value)}
    return rng.choice(rng.choice([values for kind, values in odd.OTHER_KINDS.items() if kind not in own]))


@mutation(DAMAGED)
def retype(_: Document, resource: Json, rng: Random) -> bool:
    found = spot(resource, rng)
    if found is None or _value(found) in (None, "", [], {}):
        return False
    return _set(found, _of_another_kind(_value(found), rng))


@mutation(DAMAGED)
def number_as_junk_text(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_any_of(resource, rng, _is_number), rng.choice(odd.NO_NUMBERS))


@mutation(DAMAGED)
def number_out_of_bounds(document: Document, resource: Json, rng: Random) -> bool:
    return _set(_any_of(resource, rng, _is_number), document.piece(rng.choice(odd.HUGE_NUMBERS).encode()))


def _nest(document: Document, resource: Json, rng: Random, depth: int) -> bool:
    found = spot(resource, rng)
    if found is None or _value(found) in (None, "", [], {}):
        return False
    # An object with unknown members says less and is an object still, and so is a list of them.
    wrappers: dict[Any, list[tuple[bytes, bytes]]] = {dict: [(b"[", b"]")], list: [(b"[", b"]"), (b'{"a":', b"}")]}
    before, after = rng.choice(wrappers.get(type(_value(found)), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]))
    inner = rng.choice([b"1", b"[]", b'"x"'])
    return _set(found, document.piece(before * depth + inner + after * depth))


@mutation(DAMAGED)
def nest(document: Document, resource: Json, rng: Random) -> bool:
    return _nest(document, resource, rng, rng.choice([1, 1, 2, 3, 20]))


@mutation(DAMAGED)
def unlist(_: Document, resource: Json, rng: Random) -> bool:
    """The first item where a list belongs."""
    found = _any_of(resource, rng, _is_list)
    return found is not None and _set(found, _value(found)[0])


@mutation(DAMAGED)
def junk_among_items(_: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, _is_list)
    if found is None:
        return False
    items = _value(found)
    junk = [None, [], [[]], True] + ([5, MARK] if isinstance(items[0], dict) else [])
    items.insert(rng.randrange(len(items) + 1), rng.choice(junk))
    return True


@mutation(DAMAGED)
def junk_status(_: Document, resource: Json, rng: Random) -> bool:
    member = rng.choice([name for name in ("status", "use") if name in resource] or ["status"])
    return member in resource and _set((resource, member), rng.choice(odd.NO_STATUSES))


@mutation(DAMAGED)
def junk_date(_: Document, resource: Json, rng: Random) -> bool:
    return _set(_any_of(resource, rng, _is_date), rng.choice(odd.NO_DATES))


@mutation(DAMAGED)
def control_characters(document: Document, resource: Json, rng: Random) -> bool:
    """NUL and its like: FHIR has no text with them."""
    found = _any_of(resource, rng, lambda key, value: _is_text(key, value) and "\\" not in value and '"' not in value)
    if found is None or not _value(found) or not _value(found).isascii():
        return False
    text = _value(found)
    cut = rng.randrange(len(text) + 1)
    return _set(found, document.piece(_quoted(text[:cut], rng.choice(odd.CONTROLS), text[cut:])))


def _quoted(before: str, sign: str, after: str) -> bytes:
    return b'"' + encoded(before)[1:-1] + sign.encode() + encoded(after)[1:-1] + b'"'


@mutation(DAMAGED)
def junk_type(_: Document, resource: Json, rng: Random) -> bool:
    return "resourceType" in resource and _set((resource, "resourceType"), rng.choice(odd.NO_TYPES))


# --- broken JSON inside a resource ----------------------------------------------------------------------------------


@mutation(BROKEN_JSON)
def nest_without_end(document: Document, resource: Json, rng: Random) -> bool:
    """More levels than any reader need follow."""
    return _nest(document, resource, rng, rng.choice([70, 300, 450, 900, 1100, 3000, 20_000]))


@mutation(BROKEN_JSON)
def lone_surrogate(document: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, lambda key, value: _is_text(key, value) and value.isascii())
    sign = rng.choice(odd.SURROGATES)
    return found is not None and _set(found, document.piece(_quoted(_value(found), sign, "")))


@mutation(BROKEN_JSON)
def not_utf8(document: Document, resource: Json, rng: Random) -> bool:
    found = _any_of(resource, rng, lambda key, value: _is_text(key, value) and value.isascii())
    if found is None:
        return False
    sign = rng.choice(odd.NO_UTF8)
    return _set(found, document.piece(encoded(_value(found))[:-1] + sign + b'"'))


@mutation(BROKEN_JSON)
def not_json(document: Document, resource: Json, rng: Random) -> bool:
    return _set(spot(resource, rng), document.piece(rng.choice(odd.NO_JSON)))
