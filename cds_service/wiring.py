"""Wires the rules for whoever needs no HTTP: the command line, the audit and its processes, and the app itself."""

from dataclasses import replace
from pathlib import Path

import hooks
from cds_service.advice import Advisor
from cds_service.bulk.audit import Auditor
from cds_service.bulk.fees import Fees
from cds_service.fhir.client import FhirClient
from cds_service.fhir.read import DEFAULT_SITE
from cds_service.reference import Samples
from cds_service.settings import Settings
from cds_service.site import load_site
from hooks import audit as hooks_audit
from hooks.needs import concerns


def create_advisor(settings: Settings) -> Advisor:
    """The rules with a site's settings, for whoever needs no HTTP. Raises SettingsError."""
    site = load_site(settings.site_file, hooks.vocabulary()) if settings.site_file else DEFAULT_SITE
    return Advisor(
        rules=hooks.all_rules(),
        settings=settings,
        client=FhirClient(settings.fhir_servers, settings.fetch_seconds),
        site=replace(site, order_suggestions=settings.order_suggestions),
        concerns=concerns,
    )


def create_auditor(settings: Settings, fees: Fees, everything: bool) -> Auditor:
    """The rules for the audit of a year of records; made anew in each process that takes part. Raises SettingsError."""
    return Auditor(create_advisor(settings), hooks_audit.knowledge(), fees, everything=everything)


def samples() -> Samples:
    """The sample requests beside the package; an installed package has none, and its pages show no examples."""
    return Samples(Path(hooks.__file__).parents[1] / "sample_bundles", hooks.all_services())
