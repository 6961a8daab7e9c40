"""Requests other than calls: feedback, pages with unusual addresses, other methods, unknown addresses."""

import random
import uuid
from typing import Any
from urllib.parse import quote

from tests.fuzz import odd
from tests.fuzz.bases import MARK, Base
from tests.fuzz.case import Case, Expected
from tests.fuzz.document import Document, encoded
from tests.fuzz.mutations import MUTATIONS, SAME
from tests.fuzz.places import at, resources
from tests.support.ehr import PATHS

Random = random.Random

# --- feedback -------------------------------------------------------------------------------------------------------


def feedback(rng: Random) -> Case:
    """Feedback on cards, valid or damaged."""
    path = f"{rng.choice(list(PATHS.values()))}/feedback"
    document = Document(encoded({"feedback": [_item(rng) for _ in range(rng.choice([1, 1, 2, 5]))]}))
    name = _change(document, rng)
    statuses = (200,) if name in _GOOD else (200, 400)
    expected = Expected(statuses=statuses, field="feedback")
    return Case(name=f"feedback: {name}", route="POST …/feedback", path=path, body=document.encode(), expected=expected)


_GOOD = {"as it is", *(each.name for each in MUTATIONS if each.reads == SAME)}


def _item(rng: Random) -> dict[str, Any]:
    card = str(uuid.UUID(int=rng.getrandbits(128)))
    common = {"card": card, "outcomeTimestamp": f"2026-03-{rng.randrange(1, 29):02}T08:00:00Z"}
    if rng.random() < 0.5:
        return common | {
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": str(uuid.UUID(int=rng.getrandbits(128)))}],
        }
    reason = {"reason": {"code": "contrast-not-used", "system": "https://example.org"}, "userComment": MARK}
    return common | {"outcome": "overridden"} | ({"overrideReason": reason} if rng.random() < 0.7 else {})


def _change(document: Document, rng: Random) -> str:
    if rng.random() < 0.15:
        return "as it is"
    if rng.random() < 0.1:
        document.tree["feedback"] = rng.choice([5, None, {}, [5], [[]], MARK, [None], []])
        return "no list of items"
    for each in rng.sample(MUTATIONS, len(MUTATIONS)):
        if each.change(document, rng.choice(document.tree["feedback"]), rng):
            return each.name
    return "as it is"


# --- the sandbox ----------------------------------------------------------------------------------------------------

_EDITS: list[Any] = [
    {}, None, 5, {"path": "x"}, {"path": "context.draftCharges.entry[0].resource", "code": "93352", "units": "NaN"},
    {"code": "\u0000", "units": "1e99", "day": "today"}, {"code": "93352", "units": "2", "modifiers": ["26", MARK]},
    {"path": "context.draftCharges.entry[99].resource", "within": "item[7]", "remove": True}, {"ml": "-1"}, {"x": 1},
    {"path": "prefetch.medicationAdministrations.entry[0].resource", "ml": "1.3"}, {"day": "2026-03-17", "code": ""},
]  # fmt: skip
_ACTIONS: list[Any] = [
    [], None, 5, [5], [{"type": "create", "description": "x", "resource": {"resourceType": "ChargeItem"}}],
    [{"type": "delete", "description": "x", "resourceId": "ChargeItem/1"}], [{"type": "update", "description": "x"}],
    [{"type": "create", "description": "x", "resource": {"resourceType": ["x"], "id": MARK}}], [{"type": "drop"}],
]  # fmt: skip
_SERVERS: list[Any] = [
    {"fhirServer": each, "patient": MARK, "encounter": "../x", "hook": "order-sign"} for each in odd.SERVERS
] + [{}, 5, {"fhirServer": 5}, {"fhirServer": "https://ehr.invalid/fhir", "token": 5}]  # fmt: skip
_SANDBOX = [
    "request",
    "explain",
    "accept",
    "edit",
    "connect/patients",
    "connect/visits",
    "connect/case",
    "connect/x",
    "token",
]


def sandbox(base: Base, rng: Random) -> Case:
    """A step of the sandbox, with a request that was changed somewhere."""
    step = rng.choice(_SANDBOX)
    document = Document(base.body)
    places = [at(document.tree, place.steps) for place in resources(document.tree)]
    if places and rng.random() < 0.7:
        rng.choice(MUTATIONS).change(document, rng.choice(places), rng)
    asked = {"edit": _EDITS, "accept": _ACTIONS}
    if step in asked:
        document.tree = {"request": document.tree, {"accept": "actions"}.get(step, step): rng.choice(asked[step])}
    elif step.startswith("connect"):
        document.tree = rng.choice(_SERVERS)
    elif step == "token":
        document.tree = rng.choice([{"path": "/cds-services"}, {"path": 5}, {}, 5, {"path": MARK * 1000}])
    expected = Expected(statuses=(200, 400, 403, 404, 412, 413, 422, 502, 503))
    path = f"/sandbox/{step}"
    return Case(
        name=f"{base.name}: {step}", route="POST /sandbox", path=path, body=document.encode(), expected=expected
    )


# --- pages ----------------------------------------------------------------------------------------------------------

_ROUTES = {
    "GET /cds-services": ["/cds-services"],
    "GET /ask": ["/ask"],
    "GET /codes": ["/codes"],
    "GET /codes/{code}": ["/codes/93352", "/codes/Q9957", "/codes/q9957", "/codes/{}"],
    "GET /rules": ["/rules"],
    "GET /rules/{id}": ["/rules/add-on-modifier", "/rules/code-not-active", "/rules/{}"],
    "GET /fhir": ["/fhir"],
    "GET /fhir/{type}/{id}": ["/fhir/CodeSystem/rule", "/fhir/ValueSet/codes-in-scope", "/fhir/{}/{}", "/fhir/{}"],
    "GET /sandbox": ["/sandbox", "/sandbox/samples/{}/{}", "/sandbox/jwks.json", "/sandbox/{}"],
    "GET /insights": ["/insights", "/insights/feedback.csv", "/insights/{}.csv", "/insights/{}"],
    "GET /metrics": ["/metrics"],
    "GET /hooks/{name}": ["/hooks/claim-review", "/hooks/{}"],
    "GET /health": ["/health/live", "/health/ready"],
    "GET /openapi.json": ["/openapi.json"],
    "GET /static": ["/static/reference.css", "/reference.css", "/static/{}"],
    "GET other": [
        "/",
        "/{}",
        "/cds-services/{}",
        "/cds-services/{}/feedback",
        "//cds-services",
        "/cds-services/",
        "/{}/{}",
    ],
}
_LANGUAGES = ["", "de", "x" * 2000, "*;q=0"]


def page(rng: Random) -> Case:
    """A page or a list, by an address that may be odd."""
    route = rng.choice(list(_ROUTES))
    path = rng.choice(_ROUTES[route]).replace("{}", quote(rng.choice(odd.PATH_WORDS), safe="%;=.*'"))
    query = quote(rng.choice(odd.QUERIES), safe="?&=%[]()+.*") if rng.random() < 0.6 else ""
    headers = {"Accept": rng.choice(odd.ACCEPTS), "Accept-Encoding": rng.choice(odd.ACCEPT_ENCODINGS)}
    if rng.random() < 0.3:
        headers |= {
            "Accept-Language": rng.choice(_LANGUAGES),
            "If-None-Match": "*",
            "Range": "bytes=5-1",
            "Cookie": "a=\xff;;",
        }
    return Case(
        name=f"{path}{query} as {headers['Accept'][:30]}",
        route=route,
        method="GET",
        path=path + query,
        headers=headers,
        expected=Expected(statuses=(200, 302, 304, 308, 400, 404, 405, 406, 416)),
    )


def other_method(rng: Random) -> Case:
    """A method that an address may not know."""
    method = rng.choice(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "GET", "POST", "TRACE", "PROPFIND"])
    path = rng.choice(["/cds-services", "/review", "/codes", "/fhir", "/health/live", "/nothing", *PATHS.values()])
    expected = Expected(statuses=(200, 400, 404, 405, 415) if method == "POST" else (200, 404, 405))
    body = rng.choice([b"", b"{}", b"\xff"]) if method not in {"GET", "HEAD", "OPTIONS", "TRACE"} else b""
    return Case(name=f"{method} {path}", route="other methods", method=method, path=path, body=body, expected=expected)
