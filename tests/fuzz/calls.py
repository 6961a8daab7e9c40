"""Good requests with one thing done to them, or several: inside resources, to entries, and to whole keys."""

import copy
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import odd
from tests.fuzz.bases import MARK, SUBJECTS, Base
from tests.fuzz.case import Case, Expected
from tests.fuzz.document import Document, encoded
from tests.fuzz.mutations import BROKEN_JSON, DAMAGED, MUTATIONS, OTHER, SAME, Mutation
from tests.fuzz.places import CHARGES, RECORDS, Place, at, containers, path_of, resources

Json = dict[str, Any]
Random = random.Random

_BY_READING = {
    reads: [each for each in MUTATIONS if each.reads == reads] for reads in (SAME, OTHER, DAMAGED, BROKEN_JSON)
}


def route_of(base: Base) -> str:
    """The address, as the summary counts it."""
    return f"POST {base.path}"


# --- inside resources -----------------------------------------------------------------------------------------------


def mutated(base: Base, rng: Random) -> Case:
    """A request with one resource changed; now and then several, each once, so that no change undoes another."""
    document = Document(base.body)
    done: list[tuple[Mutation, Place]] = []
    for _ in range(1 if rng.random() < 0.8 else rng.randrange(2, 6)):
        place = _chosen(list(resources(document.tree)), document.tree, rng)
        if place is not None and place not in [each for _, each in done]:
            done += [(each, place) for each in _one(document, at(document.tree, place.steps), rng)]
    name = ", ".join(f"{each.name} at {place.location}" for each, place in done) or "unchanged"
    expected = _expected(base, done)
    return Case(
        name=f"{base.name}: {name}", route=route_of(base), path=base.path, body=document.encode(), expected=expected
    )


def mutated_by(base: Base, mutation: Mutation, rng: Random) -> Case | None:
    """A request with one resource changed by this mutation; None where it finds nothing to change."""
    document = Document(base.body)
    for place in resources(document.tree):
        if mutation.change(document, at(document.tree, place.steps), rng):
            name, expected = f"{mutation.name} at {place.location}", _expected(base, [(mutation, place)])
            return Case(name=name, route=route_of(base), path=base.path, body=document.encode(), expected=expected)
    return None


def _chosen(places: list[Place], tree: Any, rng: Random) -> Place | None:
    """A resource, more often one of those that rules look at, and most often a charge."""
    kinds = [at(tree, place.steps)["resourceType"] for place in places]
    weights = [8 if kind in CHARGES else 4 if kind in RECORDS else 1 for kind in map(str, kinds)]
    return rng.choices(places, weights)[0] if places else None


def _one(document: Document, resource: Json, rng: Random) -> list[Mutation]:
    """Change a resource by a mutation that finds something to change in it."""
    (reads,) = rng.choices(list(_BY_READING), [25, 30, 40, 5])
    for each in rng.sample(_BY_READING[reads], len(_BY_READING[reads])):
        if each.change(document, resource, rng):
            return [each]
    return []


def _expected(base: Base, done: list[tuple[Mutation, Place]]) -> Expected:
    readings = {each.reads for each, _ in done}
    places = tuple(dict.fromkeys(place.location for _, place in done))
    # In a Bundle without a call around it, another patient's record is a fault of the whole.
    names_another = OTHER in readings or any(each.name == "control_characters" for each, _ in done)
    other = (400,) if names_another and base.path == "/review" else ()
    statuses = (200, *other, *((400,) if BROKEN_JSON in readings else ()))
    if OTHER in readings:
        return Expected(statuses=statuses)
    damaged = tuple(place.location for each, place in done if each.reads != SAME)
    return Expected(statuses=statuses, like=(base.body,), damaged=damaged, kept=base.body, touched=places)


# --- entries and keys -----------------------------------------------------------------------------------------------

Change = Callable[[Base, Document, Random], tuple[str, Expected] | None]
CHANGES: list[Change] = []


def change(function: Change) -> Change:
    """Take a function in among the changes of entries and keys. It gives what it did, None where it could not."""
    CHANGES.append(function)
    return function


def rearranged(base: Base, rng: Random) -> Case:
    """A request with its entries or its keys changed."""
    for each in rng.sample(CHANGES, len(CHANGES)):
        document = Document(base.body)
        done = each(base, document, rng)
        if done is not None:
            name, expected = done
            body = document.encode()
            return Case(name=f"{base.name}: {name}", route=route_of(base), path=base.path, body=body, expected=expected)
    raise AssertionError(f"nothing can be changed in {base.name}")


def _bundles(base: Base, tree: Any) -> list[tuple[str, Any]]:
    """The Bundles of a request, by place."""
    if base.path == "/review":
        tree.setdefault("entry", [])
        return [("Bundle", tree)]
    found = [(path_of(steps), at(tree, steps)) for steps in containers(tree)]
    return [
        (place, value) for place, value in found if isinstance(value, dict) and isinstance(value.get("entry"), list)
    ]


def _entry(base: Base, tree: Any, rng: Random) -> tuple[str, list[Any], int] | None:
    """An entry of some Bundle: its place, the list that holds it, and the position."""
    places = [
        (f"{place}.entry[{position}]", bundle["entry"], position)
        for place, bundle in _bundles(base, tree)
        for position in range(len(bundle["entry"]))
    ]
    return rng.choice(places) if places else None


def _like(base: Base, *damaged: str, warned: bool = True) -> Expected:
    """The answer to the base, or another one that names what is damaged."""
    return Expected(
        like=(base.body,), damaged=damaged, warned=damaged if warned else (), kept=base.body, touched=damaged
    )


def _free(base: Base) -> Expected:
    return Expected(statuses=(200, 400) if base.path == "/review" else (200, 412))


@change
def entry_that_is_none(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None:
        return None
    place, entries, position = found
    entries[position] = rng.choice(odd.NO_ENTRIES)
    return f"no resource at {place}", _like(base, place)


@change
def one_more_that_is_none(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    """Beside good drafts, what cannot be read changes nothing of what is said, but where it may show contrast."""
    found = _bundles(base, document.tree)
    if not found:
        return None
    place, bundle = rng.choice(found)
    added = rng.choice(odd.NO_ENTRIES)
    bundle["entry"].append(added)
    new = f"{place}.entry[{len(bundle['entry']) - 1}]"
    of_contrast = any(kind in encoded(added) for kind in (b"Procedure", b"MedicationAdministration"))
    damaged = (new,) if of_contrast or place.startswith("prefetch") else ()
    expected = Expected(like=(base.body,), damaged=damaged, warned=(new,), kept=base.body, touched=(new,))
    return f"no resource at {new}", expected


@change
def one_more_that_is_not_needed(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _bundles(base, document.tree)
    if not found:
        return None
    _, bundle = rng.choice(found)
    kind = rng.choice(["Organization", "Basic", "Location", "Provenance", "Parameters", "Binary"])
    bundle["entry"].append({"resource": {"resourceType": kind, "id": MARK, "code": 5, "status": [], "subject": MARK}})
    return f"one more {kind}", _like(base)


_UNREAD = ("Account", "ClaimResponse", "Invoice", "PaymentReconciliation")


@change
def one_more_whose_charges_are_not_read(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    """A list of charges of another kind: that it is not read is said, once for each kind."""
    found = _bundles(base, document.tree)
    sent = {at(document.tree, place.steps)["resourceType"] for place in resources(document.tree)}
    kinds = [each for each in _UNREAD if each not in sent]
    if not found or not kinds:
        return None
    place, bundle = rng.choice(found)
    kind = rng.choice(kinds)
    bundle["entry"].append({"resource": {"resourceType": kind, "id": MARK, "code": 5, "status": [], "subject": MARK}})
    return f"one more {kind}", _like(base, f"{place}.entry[{len(bundle['entry']) - 1}]")


@change
def one_more_of_another_patient(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    place = _chosen(list(resources(document.tree)), document.tree, rng) if base.path != "/review" else None
    if place is None or not isinstance(place.steps[-2], int):
        return None
    stranger = copy.deepcopy(at(document.tree, place.steps)) | {"id": "of-somebody-else"}
    named = [member for member in SUBJECTS if isinstance(stranger.get(member), dict)]
    if stranger["resourceType"] not in RECORDS or stranger["resourceType"] == "Patient" or not named:
        return None
    stranger[named[0]] = {"reference": "Patient/somebody-else"}
    entries = at(document.tree, place.steps[:-2])
    entries.append({"resource": stranger})
    new = f"{path_of(place.steps[:-2])}[{len(entries) - 1}]"
    expected = Expected(like=(base.body,), warned=(new,), kept=base.body, touched=(new,))
    return f"of another patient at {new}", expected


@change
def the_same_entry_twice(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None:
        return None
    place, entries, position = found
    resource = entries[position].get("resource") if isinstance(entries[position], dict) else None
    if not isinstance(resource, dict) or not resource.get("id"):
        return None
    entries.append(entries[position])
    new = f"{place.rpartition('[')[0]}[{len(entries) - 1}]"
    return f"{place} twice", Expected(like=(base.body,), kept=base.body, touched=(new,))


@change
def one_id_for_two(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    """Two resources of one type take the same id: only one of them can be what the id stands for."""
    bundles = _bundles(base, document.tree)
    if not bundles:
        return None
    place, bundle = rng.choice(bundles)
    named = [
        (position, entry["resource"])
        for position, entry in enumerate(bundle["entry"])
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict) and entry["resource"].get("id")
    ]
    pairs = [
        (one, other)
        for number, one in enumerate(named)
        for other in named[number + 1 :]
        if one[1]["resourceType"] == other[1]["resourceType"] and one[1] | {"id": ""} != other[1] | {"id": ""}
    ]
    if not pairs:
        return None
    (first, one), (second, other) = rng.choice(pairs)
    one["id"] = other["id"]
    damaged = tuple(f"{place}.entry[{position}]" for position in (first, second))
    return f"one id at {first} and {second} of {place}", _like(base, *damaged, warned=False)


@change
def entry_gone(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None:
        return None
    place, entries, position = found
    del entries[position]
    return f"without {place}", _free(base)


@change
def entries_turned_around(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = [bundle for _, bundle in _bundles(base, document.tree) if len(bundle["entry"]) > 1]
    if not found:
        return None
    rng.choice(found)["entry"].reverse()
    return "entries turned around", _free(base)


@change
def members_of_an_entry(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None or not isinstance(found[1][found[2]], dict):
        return None
    place, entries, position = found
    member, value = rng.choice(odd.ENTRY_MEMBERS)
    entries[position][member] = value
    return f"{member} of {place}", _like(base, place, warned=False)


@change
def odd_address_of_an_entry(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None or not isinstance(found[1][found[2]], dict):
        return None
    found[1][found[2]]["fullUrl"] = rng.choice(odd.ADDRESSES)
    return f"fullUrl of {found[0]}", _free(base)


@change
def a_great_many_entries(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _entry(base, document.tree, rng)
    if found is None or rng.random() > 0.1:
        return None
    place, entries, position = found
    original = entries[position].get("resource") if isinstance(entries[position], dict) else None
    if not isinstance(original, dict):
        return None
    entries += [{"resource": original | {"id": f"copy-{number}"}} for number in range(rng.choice([50, 200]))]
    return f"many of {place}", _free(base)


@change
def something_else_under_a_key(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    keys = list(document.tree.get("prefetch") or {})
    if not keys:
        return None
    key = rng.choice(keys)
    document.tree["prefetch"][key] = rng.choice(odd.NO_BUNDLES)
    expected = _like(base, f"prefetch.{key}")
    return f"something else at prefetch.{key}", _may_miss(base, key, expected)


def _may_miss(base: Base, key: str, expected: Expected) -> Expected:
    """The charges are what `encounter-discharge` cannot do without."""
    is_required = key == "chargeItems" and "discharge" in base.path
    statuses = (200, 412) if is_required else (200,)
    return Expected(
        statuses=statuses, like=expected.like, damaged=expected.damaged, warned=expected.warned,
        kept=expected.kept, touched=expected.touched,
    )  # fmt: skip


@change
def nothing_under_a_key(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    keys = ["patient", "encounter", "procedures", "chargeItems", "medicationAdministrations", "coverages"]
    if base.path == "/review":
        return None
    key = rng.choice([*keys, "observations"])
    prefetch = document.tree.setdefault("prefetch", {})
    nothing = rng.choice([None, {"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": []}, "gone"])
    if nothing == "gone":
        prefetch.pop(key, None)
    else:
        prefetch[key] = nothing
    return f"nothing at prefetch.{key}", _free(base)


@change
def a_key_that_nobody_asked_for(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    if base.path == "/review":
        return None
    key = rng.choice(odd.PREFETCH_KEYS)
    document.tree.setdefault("prefetch", {})[key] = rng.choice([None, 5, MARK, {"resourceType": "Patient"}])
    return f"prefetch.{key[:20]}", Expected(like=(base.body,), warned=(f"prefetch.{key}",), kept=base.body)


@change
def another_page(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    found = _bundles(base, document.tree)
    if not found:
        return None
    place, bundle = rng.choice(found)
    bundle["link"] = [{"relation": "next", "url": rng.choice(odd.NEXT_PAGES)}]
    return f"next page at {place}", _free(base)


@change
def the_whole_draft(base: Base, document: Document, rng: Random) -> tuple[str, Expected] | None:
    """Without the Bundle that it is about, a call cannot be answered."""
    if base.path == "/review":
        return None
    drafts = [member for member in document.tree["context"] if member.startswith("draft")]
    if not drafts:
        return None
    wrong = [each for each in odd.NO_BUNDLES if not (isinstance(each, dict) and isinstance(each.get("entry"), list))]
    document.tree["context"][drafts[0]] = rng.choice(wrong)
    return "another draft", Expected(statuses=(400,), field=f"context.{drafts[0]}")
