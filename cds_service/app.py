"""The composition root: builds the web app from settings, rules and routes."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

from flask import Flask

import hooks
from cds_service.auth.key_files import key_faults
from cds_service.auth.registrations import load_clients
from cds_service.auth.tokens import TokenVerifier, verifier_of
from cds_service.cdshooks.cards import reason_system
from cds_service.core.terminology import Designation
from cds_service.database.connections import Database
from cds_service.database.store import KnownReasons, Store
from cds_service.errors import Faults
from cds_service.fhir.terminology import resources
from cds_service.review.advisor import Advisor
from cds_service.sandbox.requests import RequestBuilder
from cds_service.sandbox.signing import Signer
from cds_service.settings import EXAMPLE_NAMESPACE, Settings, load_settings, settings_and_faults
from cds_service.telemetry.logs import configure, log
from cds_service.telemetry.metrics import Metrics
from cds_service.telemetry.tracing import Tracing
from cds_service.telemetry.tracing import start as start_tracing
from cds_service.web import (
    api,
    ask,
    authentication,
    browsers,
    cds_hooks,
    claim,
    descriptions,
    for_people,
    health,
    insights,
    limits,
    patient,
    reference,
    request_ids,
    responses,
    review,
    sandbox,
    spoken,
    tables,
    terminology,
    transport,
)
from cds_service.web.call_recorder import CallRecorder
from cds_service.web.flask_app import App
from cds_service.web.openapi import DocumentedNames, document
from cds_service.web.page_password import page_password_of
from cds_service.wiring import (
    create_advisor,
    create_asker,
    create_case_reader,
    create_case_writer,
    create_catalogs,
    create_explainer,
    create_reference,
    create_tables,
    describe,
    samples,
    service_directory,
)
from hooks.coding import override_reasons
from hooks.coding.studies import records_by_study
from hooks.publish import claims as hooks_claims
from hooks.publish import described as hooks_described
from hooks.publish import reference as hooks_reference
from hooks.publish import terminology as hooks_terminology
from hooks.publish.glossary import glossary


def create_app(settings: Settings | None = None, traces: Tracing | None = None) -> Flask:
    """Build the WSGI application. Raises SettingsError, TableError or RuleError."""
    configure()
    chosen = settings or load_settings()
    app = App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = transport.read_limit(chosen.max_body_bytes)
    catalogs = create_catalogs()
    advisor = create_advisor(chosen, catalogs)
    database = Database(chosen.database_url, chosen.database_connections)
    recorder = create_recorder(chosen, advisor, database)
    tracing = traces or (start_tracing() if chosen.traces else Tracing())
    services = service_directory(chosen.hook_namespace)
    app.register_blueprint(cds_hooks.blueprint(advisor, services, recorder, tracing, chosen))
    definitions = hooks.hook_definitions()
    app.register_blueprint(api.blueprint())
    app.register_blueprint(descriptions.blueprint(definitions, chosen.hook_namespace, openapi_document(advisor)))
    app.register_blueprint(review.blueprint(advisor, services, recorder, chosen))
    typed, reader = create_case_writer(), create_case_reader(advisor, catalogs)
    app.register_blueprint(
        claim.blueprint(advisor, typed, recorder, chosen, hooks_claims.page(), reader, catalogs=catalogs)
    )
    speaker = spoken.Speaker(catalogs)
    speaker.register(app)
    asker = create_asker(advisor, catalogs)
    app.register_blueprint(ask.blueprint(asker))
    app.register_blueprint(
        reference.blueprint(advisor, create_reference(advisor.site), samples(chosen.hook_namespace), asker, glossary())
    )
    app.register_blueprint(
        patient.blueprint(hooks_reference.reference(), create_explainer(catalogs), create_case_writer(), chosen)
    )
    app.register_blueprint(tables.blueprint(hooks_reference.all_tables(), advisor.tables))
    app.register_blueprint(terminology.blueprint(partial(fhir_resources, advisor, create_explainer(catalogs).names)))
    app.register_blueprint(health.blueprint(database, recorder.metrics, advisor.tables))
    app.jinja_env.globals["has_sandbox"] = chosen.has_sandbox
    app.jinja_env.globals["has_insights"] = chosen.has_insights
    if chosen.has_insights:
        app.register_blueprint(
            insights.blueprint(database, advisor.rules, tuple(service.id for service in services.services), speaker)
        )
    if chosen.has_sandbox:
        app.register_blueprint(sandbox.blueprint(advisor, sandbox_tools(chosen), chosen, catalogs))
    request_ids.register(app, recorder.metrics)
    browsers.register_hosts(app, chosen)
    counts = limits.register(app, chosen)
    verifier = create_verifier(chosen)
    if verifier:
        verifier.fetch_keys()
    authentication.register(
        app,
        verifier,
        chosen.public_base_url or "",
        chosen.open_paths,
        page_password_of(chosen),
        frozenset(service.id for service in services.services),
    )
    limits.register_clients(app, counts)
    responses.register(app, catalogs)
    transport.register(app)
    for_people.register(app)  # after the transport, since Flask runs the last registered first
    browsers.register_origins(app, chosen)
    if chosen.hook_namespace == EXAMPLE_NAMESPACE:
        log.warning(
            "example namespace",
            hint=f"{EXAMPLE_NAMESPACE} is for documentation; set CDS_HOOK_NAMESPACE to a domain name that you control",
        )
    return app


def create_recorder(settings: Settings, advisor: Advisor, database: Database) -> CallRecorder:
    """The recorder of calls: in the log, the metrics and the database."""
    reasons = frozenset(reason.code for rule in advisor.rules for reason in rule.override_reasons)
    metrics = Metrics(reasons, insights.KNOWN_SYSTEMS)
    known = KnownReasons(reason_system(settings.canonical_base), reasons)
    store = Store(database, settings.keep_comments, partial(metrics.count_lost, "call"), known)
    return CallRecorder(store, metrics)


def sandbox_tools(settings: Settings) -> sandbox.SandboxTools:
    """The sandbox's samples, request builder, record grouping and signing key."""
    return sandbox.SandboxTools(
        samples=samples(settings.hook_namespace),
        requests=RequestBuilder(service_directory(settings.hook_namespace)),
        grouping=records_by_study,
        signer=Signer.from_file(settings.sandbox_key),
        writer=create_case_writer(),
        describe=describe,
    )


def openapi_document(advisor: Advisor) -> dict[str, Any]:
    """The OpenAPI document of the service with this site's hook names, codes and rules."""
    names = DocumentedNames(
        definitions=tuple(hooks.hook_definitions()),
        codes=tuple(page.code for page in hooks_reference.reference().pages),
        rules=tuple(rule.id for rule in advisor.rules),
        modifiers=tuple(page.modifier for page in hooks_reference.reference().modifiers),
        resources=tuple(fhir_resources(advisor, _unnamed)),
    )
    return document(hooks.all_services(), advisor.hook_namespace, names)


def _unnamed(_: str) -> tuple[Designation, ...]:
    return ()


def fhir_resources(advisor: Advisor, names: Callable[[str], tuple[Designation, ...]]) -> dict[str, dict[str, Any]]:
    """The code tables, rules and override reasons as FHIR resources, by `Type/id`; `names` names codes for patients."""
    base = advisor.canonical_base
    lists = hooks_terminology.terminology(names)
    return resources(lists, advisor.rules, override_reasons.ALL, base, version("contrast-echo-cds"))


def create_verifier(settings: Settings) -> TokenVerifier | None:
    """The verifier of client tokens; None in development. Raises SettingsError."""
    return verifier_of(settings, _service_ids())


def checked_settings() -> Settings:
    """The settings for serving, after every source of configuration was judged: settings, files and keys.

    Raises SettingsError with all faults, in one line each.
    """
    settings, faults = settings_and_faults()
    advisor = partial(create_advisor, settings.model_copy(update={"tables_dir": None}))
    faults.attempt(advisor, "CDS_SITE_FILE: " if settings.site_file else "")
    faults.attempt(partial(create_tables, settings))
    if settings.mode == "production":
        _judge_clients(settings, faults)
    if settings.sandbox_key:
        faults.attempt(partial(Signer.from_file, settings.sandbox_key), "CDS_SANDBOX_KEY: ")
    faults.raise_all()
    return settings


def make_knowledge() -> None:
    """Make what the pages and answers in words are made of, which the code keeps: before workers are forked, so that
    they share it and start in half the time. Raises TableError.
    """
    hooks_reference.reference()
    hooks_described.case_knowledge()


def _judge_clients(settings: Settings, faults: Faults) -> None:
    """Judge the file of clients with its key files, and what the verifier of tokens needs beside it."""
    in_file, in_verifier = Faults(), Faults()
    if settings.clients_file:
        clients = in_file.attempt(partial(load_clients, settings.clients_file, _service_ids()))
        in_file.add(key_faults(clients or (), settings.clients_file.parent))
    in_verifier.attempt(partial(create_verifier, settings))
    faults.add(f"CDS_CLIENTS_FILE: {line}" for line in in_file.lines)
    faults.add(line for line in in_verifier.lines if line not in in_file.lines)


def _service_ids() -> list[str]:
    return [service.id for service in hooks.all_services()]
