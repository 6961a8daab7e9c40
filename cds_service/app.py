"""The composition root: wires settings, knowledge and web shell once."""

from flask import Flask

import hooks
from cds_service.advice import Advisor
from cds_service.database import Database
from cds_service.fhir.client import FhirClient
from cds_service.logs import configure, log
from cds_service.metrics import Metrics
from cds_service.settings import EXAMPLE_NAMESPACE, Settings, load_settings
from cds_service.store import Store
from cds_service.tracing import Tracing
from cds_service.tracing import start as start_tracing
from cds_service.watch import Watch
from cds_service.web import answers, cds_hooks, documents, exchange, observing, operations


def create_app(settings: Settings | None = None, traces: Tracing | None = None) -> Flask:
    """Build the WSGI application. Raises SettingsError, TableError or RuleError where something is wrong at start."""
    configure()
    chosen = settings or load_settings()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = exchange.most_read(chosen.max_body_bytes)
    advisor = create_advisor(chosen)
    database = Database(chosen.database_url, chosen.database_connections)
    metrics = Metrics(frozenset(reason.code for rule in advisor.rules for reason in rule.override_reasons))
    watch = Watch(Store(database, chosen.keep_comments), metrics)
    tracing = traces or (start_tracing() if chosen.traces else Tracing())
    services = hooks.all_services()
    app.register_blueprint(cds_hooks.blueprint(advisor, services, watch, tracing))
    app.register_blueprint(documents.blueprint(services, hooks.hook_definitions(), chosen.hook_namespace))
    app.register_blueprint(operations.blueprint(database, metrics))
    observing.register(app, metrics)
    answers.register(app)
    exchange.register(app, chosen.cors_origins)
    if chosen.hook_namespace == EXAMPLE_NAMESPACE:
        log.warning(
            "example namespace",
            hint=f"{EXAMPLE_NAMESPACE} is for documentation: set CDS_HOOK_NAMESPACE to a domain name that you control",
        )
    return app


def create_advisor(settings: Settings) -> Advisor:
    """The rules with a site's settings, for whoever needs no HTTP."""
    return Advisor(hooks.all_rules(), settings, FhirClient(settings.fhir_servers, settings.fetch_seconds))
