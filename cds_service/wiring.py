"""Wires the rules for whoever needs no HTTP: the command line, the audit and its processes, and the app itself."""

from dataclasses import replace
from pathlib import Path

import hooks
from cds_service.audit.fees import FeeTable
from cds_service.audit.reviewer import Auditor
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.core.rules import scope_of
from cds_service.fetch.client import FhirClient
from cds_service.fhir.read import DEFAULT_SITE
from cds_service.review.advisor import Advisor
from cds_service.review.samples import SampleLibrary
from cds_service.review.site_file import load_site
from cds_service.sandbox.notation import CaseWriter
from cds_service.settings import Settings
from hooks.codes.tables import CODES, PRODUCTS
from hooks.publish import audit as hooks_audit


def create_advisor(settings: Settings) -> Advisor:
    """The rules with a site's settings, for whoever needs no HTTP. Raises SettingsError."""
    site = load_site(settings.site_file, hooks.vocabulary()) if settings.site_file else DEFAULT_SITE
    return Advisor(
        rules=hooks.all_rules(),
        settings=settings,
        client=FhirClient(settings.fhir_servers, settings.fetch_seconds),
        site=replace(site, order_suggestions=settings.order_suggestions),
        scope=scope_of(hooks.all_rules()),
    )


def create_auditor(settings: Settings, fees: FeeTable, everything: bool) -> Auditor:
    """The rules for the audit of a year of records; made anew in each process that takes part. Raises SettingsError."""
    return Auditor(create_advisor(settings), hooks_audit.knowledge(), fees, everything=everything)


def service_directory(settings: Settings) -> ServiceDirectory:
    """The services under the site's namespace."""
    return ServiceDirectory(hooks.all_services(), settings.hook_namespace)


def samples(settings: Settings) -> SampleLibrary:
    """The sample requests beside the package; an installed package has none, and its pages show no examples."""
    return SampleLibrary(Path(hooks.__file__).parents[1] / "sample_bundles", service_directory(settings))


def create_case_writer() -> CaseWriter:
    """The writer of samples, with the names of contrast products and the descriptions of codes."""
    products = {product.name: product.ndc[0] for product in PRODUCTS if product.ndc}
    return CaseWriter(products, {entry.code: entry.words for entry in CODES})
