"""The composition root: wires settings, knowledge and web shell once."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask

import hooks
from cds_service.advice import Advisor
from cds_service.bulk.audit import Auditor
from cds_service.bulk.fees import Fees
from cds_service.fhir.client import FhirClient
from cds_service.fhir.read import DEFAULT_SITE
from cds_service.fhir.terminology import resources
from cds_service.logs import configure, log
from cds_service.openapi import Names, document
from cds_service.reference import Samples
from cds_service.settings import EXAMPLE_NAMESPACE, Settings, load_settings
from cds_service.site import load_site
from cds_service.store import Store
from cds_service.web import answers, cds_hooks, documents, exchange, operations, reference, review, terminology
from hooks import audit as hooks_audit
from hooks import override_reasons
from hooks import reference as hooks_reference
from hooks import terminology as hooks_terminology


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
    definitions = hooks.hook_definitions()
    app.register_blueprint(documents.blueprint(definitions, chosen.hook_namespace, describe(advisor)))
    app.register_blueprint(review.blueprint(advisor))
    app.register_blueprint(reference.blueprint(advisor, hooks_reference.reference(), samples()))
    app.register_blueprint(terminology.blueprint(exports(advisor)))
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
    """The rules with a site's settings, for whoever needs no HTTP. Raises SettingsError."""
    site = load_site(settings.site_file, hooks.vocabulary()) if settings.site_file else DEFAULT_SITE
    return Advisor(
        rules=hooks.all_rules(),
        settings=settings,
        client=FhirClient(settings.fhir_servers, settings.fetch_seconds),
        site=replace(site, order_suggestions=settings.order_suggestions),
    )


def create_auditor(settings: Settings, fees: Fees, everything: bool) -> Auditor:
    """The rules for the audit of a year of records; made anew in each process that takes part. Raises SettingsError."""
    return Auditor(create_advisor(settings), hooks_audit.knowledge(), fees, everything=everything)


def samples() -> Samples:
    """The sample requests beside the package; an installed package has none, and its pages show no examples."""
    return Samples(Path(hooks.__file__).parents[1] / "sample_bundles", hooks.all_services())


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
