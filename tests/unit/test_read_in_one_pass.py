"""One-pass and piecewise parsing agree: the same cards, warnings and reports for any input."""

import copy
import json
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.cdshooks import messages, prefetch
from cds_service.errors import BadRequest
from cds_service.review.advisor import Advisor
from tests.bench.calls import measured
from tests.conftest import SAMPLES
from tests.rules.test_cases import SERVICES
from tests.unit.test_actions import ENCODER
from tests.unit.test_read import corpus_resources

pytestmark = pytest.mark.repeats(8)

BY_HOOK = {service.hook.format(namespace="org.example"): service for service in SERVICES.values()}
MUTANTS_OF_EACH = 12

# What a sender may put where something else is expected.
ODD: list[Any] = [
    None, 5, -3, 1e9, "", "x", [], {}, True, [None], [5], "2026-03-02", "93352", "93350-26", " 93352 ", "Q9957",
    "entered-in-error", "not-done", "cancelled", "Patient/other", "Definity", "Bundle", "OperationOutcome",
    "Practitioner", {"coding": [{"code": "93352"}]}, {"reference": "Procedure/x"}, {"mode": "match"}, {"mode": 5},
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*path, name)
        yield from paths(each, (*path, name))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def mutated(request: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The request with one to five parts removed, replaced, moved or doubled."""
    changed = copy.deepcopy(request)
    for _ in range(chance.randint(1, 5)):
        path = chance.choice(list(paths(changed)))
        holder, name = at(changed, path[:-1]), path[-1]
        what = chance.choice(["remove", "replace", "replace", "move", "double"])
        if what == "remove":
            del holder[name]
        elif what == "replace":
            holder[name] = copy.deepcopy(chance.choice(ODD))
        elif what == "move":
            holder[name] = copy.deepcopy(at(changed, chance.choice(list(paths(changed)))))
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[name]))
    return changed


def with_others(request: dict[str, Any], resources: list[Any], chance: random.Random) -> dict[str, Any]:
    """The request with resources of all kinds among its prefetch."""
    changed = copy.deepcopy(request)
    for value in changed.get("prefetch", {}).values():
        if value and value.get("resourceType") == "Bundle":
            found = [{"resource": each, "search": {"mode": "include"}} for each in chance.sample(resources, 2)]
            value["entry"] = [*value.get("entry", []), *found]
    return changed


def said(advisor: Advisor, body: bytes) -> bytes:
    """The answer without its uuids, or the fault that is answered."""
    hook = json.loads(body).get("hook")
    service = BY_HOOK.get(hook if isinstance(hook, str) else "", SERVICES["contrast-echo-claim-review"])
    try:
        return re.sub(rb'"uuid":"[^"]*"', b"", ENCODER.encode(advisor.answer(service, body).response))
    except BadRequest as error:
        return error.message.encode()


# Resources of types that are read and of others, well made and not.
OTHERS = [
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "Medication", "id": "m", "code": {"text": "Definity"}},
    {"resourceType": "OperationOutcome", "issue": []},
    {"resourceType": "Procedure", "status": "unheard of"},
    {"resourceType": "Nothing"},
    {"id": "nothing"},
    *(json.loads(raw) for raw in (corpus_resources() if "CORPUS_DIR" in os.environ else ())),
]

REQUESTS = [json.loads(path.read_bytes()) for path in SAMPLES] + [json.loads(call.body) for call in measured(12_000)]
NAMES = [path.stem for path in SAMPLES] + [call.name for call in measured(12_000)]


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_one_pass_says_what_piece_by_piece_says(
    advisor: Advisor, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(json.dumps(request_))
    requests = [request_, *(mutated(request_, chance) for _ in range(MUTANTS_OF_EACH))]
    requests.append(with_others(request_, OTHERS, chance))
    bodies = [json.dumps(each).encode() for each in requests]
    at_once = [said(advisor, body) for body in bodies]
    monkeypatch.setattr(prefetch, "_decode_in_one_pass", lambda _: None)
    monkeypatch.setattr(messages, "_DECODED_REQUEST", _Refusing())
    assert [said(advisor, body) for body in bodies] == at_once


class _Refusing:
    """A decoder that reads nothing at once."""

    def decode(self, _: bytes) -> None:
        raise UnicodeDecodeError("utf-8", b"", 0, 1, "not at once")
