"""`/sandbox`: sample cases to try, answered by the same routes that an EHR calls.

The page's script calls `/cds-services/{id}` and its feedback. The routes here serve samples, explain how a case was
parsed, and change a request as an EHR would. Cases are not stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from cds_service.cdshooks.messages import Action, decode
from cds_service.fhir.servers import AllowList
from cds_service.fhir.validate import faults_in
from cds_service.intake.described import Describe
from cds_service.intake.text import text_of
from cds_service.intake.writer import CaseWriter
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.worded import worded
from cds_service.review.advisor import Advisor
from cds_service.review.report import Detail, FindingView, InputWarning, details_of, empty_sentence, report_of
from cds_service.review.samples import SampleLibrary
from cds_service.sandbox import changes
from cds_service.sandbox.connect import Ehr, Server
from cds_service.sandbox.inputs import document_of
from cds_service.sandbox.json_paths import Json, decoded, entries_of
from cds_service.sandbox.requests import BuiltRequest, RequestBuilder
from cds_service.sandbox.shown import ShownFinding, ShownNotation
from cds_service.sandbox.signing import Signer
from cds_service.sandbox.timeline import Grouping, timeline_of
from cds_service.settings import Settings
from cds_service.web import authentication, languages, limits, page_headers, spoken
from cds_service.web.markdown import as_html
from cds_service.web.responses import as_json, outcome, require_json
from cds_service.web.spoken_data import Saying, said_members


class _SandboxCall(msgspec.Struct):
    """A request, and the actions or the edit to apply to it."""

    request: Json
    actions: tuple[Action, ...] = ()
    edit: changes.Edit | None = None


class _TokenTarget(msgspec.Struct):
    """The path of the service to be called."""

    path: str


@dataclass(frozen=True, slots=True)
class SandboxTools:
    """The parts of the sandbox: samples, request builder, grouping of records into studies, and token signer.

    `writer` and `describe` are those of billers' notation.
    """

    samples: SampleLibrary
    requests: RequestBuilder
    grouping: Grouping
    signer: Signer
    writer: CaseWriter
    describe: Describe


def blueprint(advisor: Advisor, tools: SandboxTools, settings: Settings, catalogs: Catalogs) -> Blueprint:
    """The routes of the sandbox."""
    routes = Blueprint("sandbox", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITH_OWN_SCRIPTS)
    groups, start_here = tools.samples.groups(advisor.rules), tools.samples.start_here()

    @routes.before_request
    def choose_language() -> None:
        """Answers are English, unless the page asks for its language in the query."""
        if languages.PARAMETER in request.args:
            spoken.speak(languages.requested())

    def answered(members: dict[str, Any], *texts: str, details: Mapping[str, Detail] | None = None) -> Response:
        """The members as JSON, those in `texts` and the texts of structs in the language of the page; `details` are
        those of findings.
        """
        language = spoken.page_language()
        if language.is_english:
            return as_json(members)
        saying = Saying(catalogs, language, details or {})
        return languages.in_language(as_json(said_members(members, texts, saying)), language)

    def as_built(built: BuiltRequest, **more: Any) -> Response:
        members = {"request": built.request, "service": built.service.id, "notes": built.notes}
        return answered(members | more, "notes")

    @routes.get("/")
    def start() -> BaseResponse:
        return redirect(url_for("sandbox.page"))

    @routes.get("/sandbox")
    def page() -> Response:
        hooks = _hook_choices(tools.requests)
        return spoken.page("sandbox/page.html", groups=groups, start_here=start_here, hooks=hooks)

    @routes.get("/sandbox/samples/<rule>/<name>")
    def sample(rule: str, name: str) -> Response:
        found = tools.samples.read(f"{rule}/{name}")
        if found is None:
            return outcome(404, "not-found", "no sample with this name")
        return as_built(tools.requests.built(decoded(found)))

    @routes.post("/sandbox/request")
    def build() -> Response:
        require_json()
        document = document_of(limits.bounded_body(settings), tools.writer)
        return as_built(tools.requests.built(document, request.args.get("hook", "")))

    @routes.post("/sandbox/explain")
    def explain() -> Response:
        require_json()
        body = limits.bounded_body(settings)
        explained, details = _explained(advisor, tools, body)
        return answered(explained, "emptySentence", details=details)

    @routes.post("/sandbox/accept")
    def accept() -> Response:
        require_json()
        call = decode(limits.bounded_body(settings), _SandboxCall)
        return as_json(changes.accepted(call.request, tools.requests.built(call.request).service, call.actions))

    @routes.post("/sandbox/edit")
    def edit() -> Response:
        require_json()
        call = decode(limits.bounded_body(settings), _SandboxCall)
        service = tools.requests.built(call.request).service
        answer = advisor.answer(service, msgspec.json.encode(call.request), servers=_servers())
        return as_json(changes.edited(call.request, service, answer, call.edit or changes.Edit()))

    @routes.post("/sandbox/connect/<step>")
    def connect(step: str) -> Response:
        require_json()
        server = decode(limits.bounded_body(settings), Server)
        ehr = Ehr(advisor.client, tools.requests, _servers())
        if step == "patients":
            return as_json({"patients": ehr.patients(server)})
        if step == "visits":
            return as_json({"visits": ehr.visits(server)})
        if step == "case":
            case = ehr.build(server)
            return as_built(case.built, queries=case.queries)
        return outcome(404, "not-found", "expected one of patients, visits, case")

    @routes.post("/sandbox/token")
    def token() -> Response:
        require_json()
        base = settings.public_base_url or request.host_url.rstrip("/")
        return as_json(tools.signer.signed(base, decode(limits.bounded_body(settings), _TokenTarget).path))

    @routes.get("/sandbox/jwks.json")
    def keys() -> Response:
        return as_json(tools.signer.keys())

    return routes


def _hook_choices(requests: RequestBuilder) -> list[dict[str, str]]:
    """The hooks with labels for users, in the order in which an EHR calls them."""
    words = {
        "order-select": (
            worded("Order selected"),
            worded("A physician has selected an order and is still filling it in."),
        ),
        "order-sign": (worded("Order signed"), worded("The physician is about to sign the order.")),
        "encounter-discharge": (
            worded("Visit ended"),
            worded("The visit has ended; its charges are on the record."),
        ),
        "claim-review": (
            worded("Charges submitted"),
            worded("The charges are about to be submitted to the payer."),
        ),
    }
    known = {each.hook.rpartition(".")[2] for each in requests.services.services}
    return [{"hook": hook, "name": name, "about": about} for hook, (name, about) in words.items() if hook in known]


# --- the parsed case, and the result of every rule --------------------------------------------------------------------


def _explained(advisor: Advisor, tools: SandboxTools, body: bytes) -> tuple[dict[str, Any], Mapping[str, Detail]]:
    """The members of the answer, and the details of its findings."""
    document = decoded(body)
    service = tools.requests.built(document).service
    answer = advisor.answer(service, body, servers=_servers())
    report, told = report_of(answer), tools.describe(answer.parsed.case)
    explained = {
        "notation": ShownNotation(text_of(told.case), told.left_out),
        "timeline": timeline_of(answer.parsed, tools.grouping, _patient(document)),
        "findings": tuple(map(_shown, report.findings)),
        "empty": report.empty,
        "emptySentence": empty_sentence(answer) if report.empty else "",
        "passed": report.passed,
        "notChecked": report.not_checked,
        "warnings": report.warnings,
        "faults": tuple(InputWarning(location=each.path, message=each.reason) for each in faults_in(body)),
        "fetched": [{"key": key, "query": service.prefetch[key]} for key in answer.fetched],
    }
    return explained, details_of(answer)


def _shown(found: FindingView) -> ShownFinding:
    members = {name: getattr(found, name) for name in found.__struct_fields__}
    return ShownFinding(**members, html=as_html(found.detail))


def _servers() -> AllowList | None:
    """The FHIR servers that may be queried for the current user; None for those of the settings."""
    user = authentication.principal()
    return user.servers if user else None


def _patient(document: Json) -> Json | None:
    """The first Patient resource of the request."""
    parts = (document.get(name) for name in ("prefetch", "context"))
    values = (value for part in parts if isinstance(part, dict) for value in part.values())
    resources = (entry["resource"] for value in values for entry in entries_of(value))
    return next((each for each in resources if each["resourceType"] == "Patient"), None)
