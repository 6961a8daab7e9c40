"""The composition root: wires settings, knowledge and web shell once."""

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask

import hooks
from cds_service.advice import Advisor
from cds_service.database import Database
from cds_service.fhir.terminology import resources
from cds_service.logs import configure, log
from cds_service.metrics import Metrics
from cds_service.openapi import Names, document
from cds_service.sandbox.framing import Framer
from cds_service.sandbox.samples import Shelf
from cds_service.sandbox.signing import Signer
from cds_service.settings import EXAMPLE_NAMESPACE, Settings, load_settings
from cds_service.store import Store
from cds_service.tracing import Tracing
from cds_service.tracing import start as start_tracing
from cds_service.trust import Guard, guard_of
from cds_service.watch import Watch
from cds_service.web import (
    answers,
    cds_hooks,
    documents,
    exchange,
    gate,
    insights,
    limits,
    observing,
    operations,
    reference,
    review,
    sandbox,
    terminology,
)
from cds_service.web.lean import LeanFlask
from cds_service.web.people import people_of
from cds_service.wiring import create_advisor, samples
from hooks import override_reasons
from hooks import reference as hooks_reference
from hooks import terminology as hooks_terminology
from hooks.echo import studies_told


def create_app(settings: Settings | None = None, traces: Tracing | None = None) -> Flask:
    """Build the WSGI application. Raises SettingsError, TableError or RuleError where something is wrong at start."""
    configure()
    chosen = settings or load_settings()
    app = LeanFlask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = exchange.most_read(chosen.max_body_bytes)
    advisor = create_advisor(chosen)
    database = Database(chosen.database_url, chosen.database_connections)
    metrics = Metrics(frozenset(reason.code for rule in advisor.rules for reason in rule.override_reasons))
    watch = Watch(Store(database, chosen.keep_comments, partial(metrics.lost, "call")), metrics)
    tracing = traces or (start_tracing() if chosen.traces else Tracing())
    services = hooks.all_services()
    app.register_blueprint(cds_hooks.blueprint(advisor, services, watch, tracing))
    definitions = hooks.hook_definitions()
    app.register_blueprint(documents.blueprint(definitions, chosen.hook_namespace, describe(advisor)))
    app.register_blueprint(review.blueprint(advisor, watch))
    app.register_blueprint(reference.blueprint(advisor, hooks_reference.reference(), samples()))
    app.register_blueprint(terminology.blueprint(exports(advisor)))
    app.register_blueprint(operations.blueprint(database, metrics))
    app.jinja_env.globals["has_sandbox"] = chosen.has_sandbox
    app.jinja_env.globals["has_insights"] = chosen.has_insights
    if chosen.has_insights:
        app.register_blueprint(insights.blueprint(database, advisor.rules, tuple(service.id for service in services)))
    if chosen.has_sandbox:
        app.register_blueprint(sandbox.blueprint(advisor, sandbox_kit(chosen)))
    observing.register(app, metrics)
    counts = limits.register(app, chosen)
    gate.register(app, create_guard(chosen), chosen.public_base_url or "", chosen.open_paths, people_of(chosen))
    limits.register_clients(app, counts)
    answers.register(app)
    exchange.register(app, chosen.cors_origins)
    if chosen.hook_namespace == EXAMPLE_NAMESPACE:
        log.warning(
            "example namespace",
            hint=f"{EXAMPLE_NAMESPACE} is for documentation: set CDS_HOOK_NAMESPACE to a domain name that you control",
        )
    return app


def sandbox_kit(settings: Settings) -> sandbox.Kit:
    """What the sandbox shows: the samples, the services, and which records make a study."""
    services = hooks.all_services()
    folder = Path(hooks.__file__).parents[1] / "sample_bundles"
    return sandbox.Kit(
        shelf=Shelf(folder, services, settings.hook_namespace),
        framer=Framer(services, settings.hook_namespace),
        grouping=studies_told,
        signer=Signer.from_file(settings.sandbox_key),
    )


def describe(advisor: Advisor) -> dict[str, Any]:
    """The OpenAPI document of the service as it is wired here."""
    names = Names(
        definitions=tuple(hooks.hook_definitions()),
        codes=tuple(page.code for page in hooks_reference.reference().pages),
        rules=tuple(rule.id for rule in advisor.rules),
        resources=tuple(exports(advisor)),
    )
    return document(hooks.all_services(), advisor.settings.hook_namespace, names)


def exports(advisor: Advisor) -> dict[str, dict[str, Any]]:
    """The tables, the rules and the override reasons as FHIR resources, by `Type/id`."""
    base = advisor.settings.canonical_base
    lists = hooks_terminology.terminology()
    return resources(lists, advisor.rules, override_reasons.ALL, base, version("contrast-echo-cds"))


def create_guard(settings: Settings) -> Guard | None:
    """Who may call; None in development, where anyone on this machine may. Raises SettingsError."""
    return guard_of(settings, [service.id for service in hooks.all_services()])
