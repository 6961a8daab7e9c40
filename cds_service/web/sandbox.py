"""`/sandbox`: cases to look at and to try out, answered by the same routes that an EHR calls.

The page's script calls `/cds-services/{id}` and its feedback. The routes here hand out samples, say what was read of a
case, and change a request as an EHR would. Nothing that is sent here is kept.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from flask import Blueprint, Response, redirect, render_template, request, url_for
from markdown_it import MarkdownIt
from werkzeug.wrappers import Response as BaseResponse

from cds_service.cdshooks.messages import Action, decode
from cds_service.fhir.servers import AllowList
from cds_service.fhir.validate import faults_in
from cds_service.review.advisor import Advisor
from cds_service.review.report import FindingView, report_of
from cds_service.review.samples import Group, SampleLibrary
from cds_service.sandbox import changes
from cds_service.sandbox.connect import Ehr, Server
from cds_service.sandbox.json_paths import Json, decoded, entries_of
from cds_service.sandbox.requests import BuiltRequest, RequestBuilder
from cds_service.sandbox.signing import Signer
from cds_service.sandbox.timeline import Grouping, story_of
from cds_service.settings import Settings
from cds_service.web import authentication, limits
from cds_service.web.responses import as_json, outcome, require_json

# The page talks to this service and to nobody else; no script, style or image comes from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

# Four cases that show what there is to know, under what they show; the first is open when the page is.
_START_HERE = {
    "contrast-add-on-missing/flags-65-year-old-man-poor-endocardial-border": "A charge is missing",
    "contrast-not-supported/flags-prepared-not-given-and-charged": "Charged, and never given",
    "contrast-add-on-missing/passes-65-year-old-man-corrected": "All is right",
    "contrast-add-on-missing/flags-65-year-old-man-at-order": "Still being ordered",
}

# Cards carry Markdown without HTML; what looks like HTML stays text, and pictures are not loaded.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


class _SandboxCall(msgspec.Struct):
    """A request and what is to be done to it."""

    request: Json
    actions: tuple[Action, ...] = ()
    edit: changes.Edit | None = None


class _TokenTarget(msgspec.Struct):
    """The address of a service that is to be called."""

    path: str


@dataclass(frozen=True, slots=True)
class SandboxTools:
    """What the sandbox is made of: samples, services by hook, how records are sorted into studies, and its key."""

    samples: SampleLibrary
    requests: RequestBuilder
    grouping: Grouping
    signer: Signer


def blueprint(advisor: Advisor, tools: SandboxTools, settings: Settings) -> Blueprint:
    """The routes of the sandbox."""
    routes = Blueprint("sandbox", __name__, template_folder="templates")
    groups = tools.samples.groups(advisor.rules)

    @routes.get("/")
    def start() -> BaseResponse:
        return redirect(url_for("sandbox.page"))

    @routes.get("/sandbox")
    def page() -> Response:
        content = render_template(
            "sandbox/page.html",
            groups=groups,
            count=len(advisor.rules),
            first=_first(groups),
            moments=_moments(tools.requests),
        )
        response = Response(content, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    @routes.get("/sandbox/samples/<rule>/<name>")
    def sample(rule: str, name: str) -> Response:
        found = tools.samples.read(f"{rule}/{name}")
        if found is None:
            return outcome(404, "not-found", "no sample has this name")
        return _built(tools.requests.built(decoded(found)))

    @routes.post("/sandbox/request")
    def frame() -> Response:
        require_json()
        document = decoded(limits.body(settings))
        return _built(tools.requests.built(document, request.args.get("hook", "")))

    @routes.post("/sandbox/explain")
    def explain() -> Response:
        require_json()
        body = limits.body(settings)
        return as_json(_explained(advisor, tools, body))

    @routes.post("/sandbox/accept")
    def accept() -> Response:
        require_json()
        asked = decode(limits.body(settings), _SandboxCall)
        return as_json(changes.accepted(asked.request, tools.requests.built(asked.request).service, asked.actions))

    @routes.post("/sandbox/edit")
    def edit() -> Response:
        require_json()
        asked = decode(limits.body(settings), _SandboxCall)
        service = tools.requests.built(asked.request).service
        answer = advisor.answer(service, msgspec.json.encode(asked.request), servers=_servers())
        return as_json(changes.edited(asked.request, service, answer, asked.edit or changes.Edit()))

    @routes.post("/sandbox/connect/<step>")
    def connect(step: str) -> Response:
        require_json()
        server = decode(limits.body(settings), Server)
        ehr = Ehr(advisor.client, tools.requests, _servers())
        if step == "patients":
            return as_json({"patients": ehr.patients(server)})
        if step == "visits":
            return as_json({"visits": ehr.visits(server)})
        if step == "case":
            case = ehr.build(server)
            return _built(case.built, asked=case.queries)
        return outcome(404, "not-found", "expected one of patients, visits, case")

    @routes.post("/sandbox/token")
    def token() -> Response:
        require_json()
        base = settings.public_base_url or request.host_url.rstrip("/")
        return as_json(tools.signer.signed(base, decode(limits.body(settings), _TokenTarget).path))

    @routes.get("/sandbox/jwks.json")
    def keys() -> Response:
        return as_json(tools.signer.keys())

    @routes.after_request
    def guard(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return routes


def _first(groups: tuple[Group, ...]) -> list[tuple[str, str]]:
    """The cases to start with, as far as there are samples."""
    known = {sample.name for group in groups for sample in group.samples}
    return [(name, shows) for name, shows in _START_HERE.items() if name in known]


def _moments(requests: RequestBuilder) -> list[dict[str, str]]:
    """The hooks as a person would say them, in the order in which they are called."""
    words = {
        "order-select": ("Order chosen", "A physician has picked a stress echo and is still filling in the order."),
        "order-sign": ("Order signed", "The physician is about to sign the order."),
        "encounter-discharge": ("Visit ends", "The visit is over; its charges are on the record."),
        "claim-review": ("Charges go out", "The charges are ready to be sent to the payer."),
    }
    known = {each.hook.rpartition(".")[2] for each in requests.services.services}
    return [{"hook": hook, "name": name, "about": about} for hook, (name, about) in words.items() if hook in known]


def _built(built: BuiltRequest, **more: Any) -> Response:
    return as_json({"request": built.request, "service": built.service.id, "notes": built.notes} | more)


# --- what was read, and every rule's verdict ------------------------------------------------------------------------


def _explained(advisor: Advisor, tools: SandboxTools, body: bytes) -> dict[str, Any]:
    document = decoded(body)
    service = tools.requests.built(document).service
    answer = advisor.answer(service, body, servers=_servers())
    report = report_of(answer)
    return {
        "story": story_of(answer.parsed, tools.grouping, _patient(document)),
        "findings": [_found(each) for each in report.findings],
        "passed": report.passed,
        "notChecked": report.not_checked,
        "warnings": report.warnings,
        "faults": [{"location": each.path, "message": each.reason} for each in faults_in(body)],
        "fetched": [{"key": key, "query": service.prefetch[key]} for key in answer.fetched],
    }


def _found(found: FindingView) -> dict[str, Any]:
    """A finding with its detail as HTML, by which the page finds the card that says it."""
    members: dict[str, Any] = msgspec.to_builtins(found, builtin_types=(Decimal,))
    return members | {"html": _MARKDOWN.render(found.detail)}


def _servers() -> AllowList | None:
    """The FHIR servers that may be asked for whoever looks."""
    caller = authentication.principal()
    return caller.servers if caller else None


def _patient(document: Json) -> Json | None:
    """The first Patient that came along."""
    parts = (document.get(name) for name in ("prefetch", "context"))
    values = (value for part in parts if isinstance(part, dict) for value in part.values())
    resources = (entry["resource"] for value in values for entry in entries_of(value))
    return next((each for each in resources if each["resourceType"] == "Patient"), None)
