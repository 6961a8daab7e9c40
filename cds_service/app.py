"""The composition root: wires settings, knowledge and web shell once."""

from flask import Flask

import hooks
from cds_service.advice import Advisor
from cds_service.fhir.client import FhirClient
from cds_service.logs import configure, log
from cds_service.settings import EXAMPLE_NAMESPACE, Settings, load_settings
from cds_service.store import Store
from cds_service.web import answers, cds_hooks, documents, exchange, operations


def create_app(settings: Settings | None = None) -> Flask:
    """Build the WSGI application. Raises SettingsError, TableError or RuleError where something is wrong at start."""
    configure()
    chosen = settings or load_settings()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = exchange.most_read(chosen.max_body_bytes)
    advisor = create_advisor(chosen)
    store = Store(chosen.database_url, chosen.keep_comments)
    services = hooks.all_services()
    app.register_blueprint(cds_hooks.blueprint(advisor, services, store))
    app.register_blueprint(documents.blueprint(services, hooks.hook_definitions(), chosen.hook_namespace))
    app.register_blueprint(operations.blueprint())
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
