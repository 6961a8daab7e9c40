"""Checks of every answer, whatever was sent: it matches its schema and repeats no patient data."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec
from fhir.resources.R4B.chargeitem import ChargeItem
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from tests.fuzz.bases import MARK, REVIEW
from tests.fuzz.case import Case
from tests.fuzz.claim_files import EDI_TYPE
from tests.fuzz.client import PATIENCE, Answer
from tests.fuzz.places import at, related, resources
from tests.support.ehr import PATHS, about_echo

Json = dict[str, Any]

_CALLS = frozenset(PATHS.values())


def _number(text: str) -> Decimal | str:
    """A number as exactly as it was written; one that is beyond numbers, as its text."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


EXACT = msgspec.json.Decoder(float_hook=_number)


def closed(schema: Any) -> Any:
    """The same schema with every object closed, so that a member that it does not know is an error."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    return inner | ({"additionalProperties": False} if "properties" in inner and "title" in inner else {})


class Shapes:
    """The answers that the service's own document describes, to the last member."""

    def __init__(self, document: Json) -> None:
        schemas = closed(document["components"]["schemas"])
        self._validators = {
            name: jsonschema_rs.validator_for(
                {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
            )
            for name in ("Response", "Report", "ClaimFileReport", "OperationOutcome")
        }

    def faults(self, name: str, content: Any) -> Iterator[str]:
        """Deviations of a content from its schema."""
        for error in self._validators[name].iter_errors(content):
            yield f"not a {name}: {'/'.join(map(str, error.instance_path))}: {error.message[:200]}"


def faults(case: Case, answer: Answer, shapes: Shapes) -> Iterator[str]:
    """Faults of an answer on its own."""
    if answer.status == 0:
        yield f"no answer ({answer.body.decode()})"
        return
    if answer.seconds > PATIENCE:
        yield f"the answer took {answer.seconds:.0f} seconds"
    if answer.status not in case.expected.statuses:
        yield f"answered {answer.status}, expected {' or '.join(map(str, case.expected.statuses))}"
    if answer.status >= 400:
        yield from _faults_of_refusal(case, answer, shapes)
    elif answer.status == 200 and case.method != "HEAD":
        yield from _faults_of_content(case, answer, shapes)


def _asks_for_page(case: Case) -> bool:
    """True if the client ranks a page above FHIR."""
    accepted = parse_accept_header(case.headers.get("Accept", ""), MIMEAccept)
    return accepted.quality("text/html") > max(map(accepted.quality, ("application/fhir+json", "application/json")))


# --- refusals -------------------------------------------------------------------------------------------------------


def _faults_of_refusal(case: Case, answer: Answer, shapes: Shapes) -> Iterator[str]:
    if MARK.encode() in answer.body:
        yield "a fault repeats what the patient's data say"
    if case.method == "HEAD":
        return
    if answer.headers.get("content-type", "").startswith("text/html"):
        may_be_page = case.method == "GET" and (answer.status == 404 or _asks_for_page(case))
        if not may_be_page or b"</html>" not in answer.body:
            yield "a fault that is a page"
        return
    if answer.headers.get("content-type") != "application/fhir+json":
        yield f"a fault of type {answer.headers.get('content-type')}"
        return
    try:
        content = EXACT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield f"the fault is no JSON: {error}"
        return
    yield from shapes.faults("OperationOutcome", content)
    if answer.status == 405 and "allow" not in answer.headers:
        yield "a 405 without `Allow`"
    if answer.status in {429, 503} and "retry-after" not in answer.headers:
        yield f"a {answer.status} without `Retry-After`"
    for issue in content.get("issue", []):
        yield from _faults_of_issue(case, answer, issue)


def _faults_of_issue(case: Case, answer: Answer, issue: Json) -> Iterator[str]:
    diagnostics = issue.get("diagnostics", "")
    if not 5 <= len(diagnostics) <= 500:
        yield "a fault that does not say in a sentence what is wrong"
    named = " ".join(issue.get("expression", []))
    if answer.status == 400 and case.expected.field and named and not related(named, case.expected.field):
        yield f"the fault is in {case.expected.field}, and {named} is named"
    names = (f"`{named}`", "the body", "the Bundle")
    if answer.status == 400 and named and not any(name in diagnostics for name in names):
        yield "the text does not name the member at fault"


# --- good answers ---------------------------------------------------------------------------------------------------


def _faults_of_content(case: Case, answer: Answer, shapes: Shapes) -> Iterator[str]:
    kind = answer.headers.get("content-type", "")
    if "json" not in kind:
        return
    try:
        content = EXACT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield f"the answer is no JSON: {error}"
        return
    if "no-store" not in answer.headers.get("cache-control", ""):
        yield "an answer that others may keep"
    if case.path in _CALLS and case.method == "POST":
        yield from shapes.faults("Response", content)
        yield from _faults_of_cards(case, content["cards"], answer.body)
        yield from _faults_of_extension(about_echo(content))
    elif case.path == REVIEW and case.headers.get("Content-Type") == EDI_TYPE:
        yield from shapes.faults("ClaimFileReport", content)
        yield from _faults_of_claims(content, answer.body)
    elif case.path == REVIEW and case.method == "POST":
        yield from shapes.faults("Report", content)
        yield from _faults_of_extension(content)
        for found in content["findings"]:
            yield from _faults_of_words(found["summary"], found["detail"])
            if not found["evidence"]:
                yield "a finding without evidence"
    elif case.path.endswith("/feedback") and content != {}:
        yield "feedback is answered with something"


def _faults_of_claims(content: Json, body: bytes) -> Iterator[str]:
    """Nothing of a patient is in the answer; places are segments, and what is not reviewed has a reason."""
    if MARK.encode() in body:
        yield "the answer repeats what the patients' data say"
    if not content["claims"] and not content["setAside"]:
        yield "a file of claims without a word on any"
    for each in content["claims"]:
        places = [each["location"], *(seen["location"] for found in each["findings"] for seen in found["evidence"])]
        if not all(re.fullmatch(r"(.+ )?ST\*\S+ segment \d+ \(\w+\)", place) for place in places):
            yield "a place that is no segment"


def _faults_of_extension(content: Json) -> Iterator[str]:
    for warning in content.get("warnings", []):
        if set(warning) != {"location", "message"} or not warning["location"] or not warning["message"]:
            yield "a warning without a place or a reason"
        if MARK in warning["message"]:
            yield "a warning repeats what was sent"
    for unchecked in content.get("notChecked", []):
        if not unchecked.get("rule") or not unchecked.get("reason"):
            yield "a rule was not checked, and no reason is said"


def _faults_of_cards(case: Case, cards: list[Json], body: bytes) -> Iterator[str]:
    suggestions = [each for card in cards for each in card.get("suggestions", [])]
    uuids = [each["uuid"] for each in [*cards, *suggestions]]
    if len(set(uuids)) != len(uuids):
        yield "two cards or suggestions have one uuid"
    for card in cards:
        yield from _faults_of_words(card["summary"], card["detail"])
        if card["indicator"] == "critical":
            yield "a critical card: reimbursement is not life and death"
        if not card["source"]["label"] or not card["source"]["topic"]["code"]:
            yield "a card without a source"
        if not card.get("links") or not card.get("overrideReasons"):
            yield "a card without a link or without override reasons"
    if suggestions:
        yield from _faults_of_suggestions(case, body)


_HTML = re.compile(r"(?<!\\)<(?=[a-zA-Z/!])")


def _faults_of_words(summary: str, detail: str) -> Iterator[str]:
    if not 0 < len(summary) < 140 or "\n" in summary:
        yield f"a summary of {len(summary)} characters"
    if not detail.startswith("**Seen") or "**Why**" not in detail or "**Source**" not in detail:
        yield "a detail without what was seen, why or the source"
    if _HTML.search(re.sub(r"`[^`]*`", "", detail)):
        yield "HTML in a detail"


# --- suggestions ----------------------------------------------------------------------------------------------------


def _faults_of_suggestions(case: Case, body: bytes) -> Iterator[str]:
    for card in EXACT.decode(body)["cards"]:
        for suggestion in card.get("suggestions", []):
            if not suggestion.get("actions") or not suggestion["label"]:
                yield "a suggestion of nothing"
            for action in suggestion.get("actions", []):
                yield from _faults_of_action(case, action)


def _faults_of_action(case: Case, action: Json) -> Iterator[str]:
    if action["type"] == "create":
        yield from _faults_of_charge(action["resource"])
    elif action["type"] == "update":
        yield from _faults_of_update(case, action["resource"])
    elif not re.fullmatch(r"(ChargeItem|ServiceRequest|Claim)/[A-Za-z0-9\-.]{1,64}", action.get("resourceId", "")):
        yield "a deletion of what has no id"


def _faults_of_charge(resource: Json) -> Iterator[str]:
    if resource["resourceType"] != "ChargeItem" or resource["status"] not in {"planned", "billable"}:
        yield "a suggestion that creates no charge"
    fault = _charge_fault(msgspec.json.encode({name: value for name, value in resource.items() if name != "quantity"}))
    if fault:
        yield fault


@lru_cache(5000)
def _charge_fault(charge: bytes) -> str:
    """The strict validation error of a charge; cached, since the same charges recur."""
    try:
        ChargeItem.model_validate_json(charge)
    except ValueError as error:
        return f"a charge that is no ChargeItem: {type(error).__name__}"
    return ""


# What a suggestion may change in a resource; everything else goes back as it came.
_CHANGED = {"item", "code", "quantity", "extension"}


def _faults_of_update(case: Case, resource: Json) -> Iterator[str]:
    try:
        sent = list(_sent(case))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # packed, or beyond what this decoder takes
    kind, identity = resource["resourceType"], resource.get("id")
    alike = [each for each in sent if (each["resourceType"], each.get("id")) == (kind, identity)]
    if not any(_rest(each) == _rest(resource) for each in alike):
        yield "an update that changes more than it says"


def _sent(case: Case) -> Iterator[Json]:
    """Every resource of a call, be it sent along or fetched."""
    served = {key: EXACT.decode(body) for key, body in case.served.items() if key not in {"token", "address"}}
    for request in (EXACT.decode(case.body), {"prefetch": served}):
        yield from (at(request, place.steps) for place in resources(request))


def _rest(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name not in _CHANGED}
