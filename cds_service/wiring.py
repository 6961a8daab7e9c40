"""Builds the rules with their settings, without HTTP: for the command line, the audit and the web app."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Literal

import hooks
import sample_bundles
from cds_service.ask.asker import Asker
from cds_service.ask.cases import CaseReader
from cds_service.ask.site import site_facts
from cds_service.assistants.tools import Toolbox
from cds_service.audit.fees import FeeTable
from cds_service.audit.medicare_fees import MedicareFees
from cds_service.audit.reviewer import Auditor
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.cms.lookup import Tables
from cds_service.core.case import Case
from cds_service.core.concepts import NDC, Concept
from cds_service.core.rules import scope_of
from cds_service.core.site import Site
from cds_service.errors import SettingsError
from cds_service.fetch.client import FhirClient
from cds_service.fhir.read import DEFAULT_SITE
from cds_service.intake.described import Described, described
from cds_service.intake.writer import CaseWriter
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.domains import MACHINE
from cds_service.languages.known import ENGLISH, Language
from cds_service.review.advisor import Advisor
from cds_service.review.patient import Explainer
from cds_service.review.reference import Reference, with_statements
from cds_service.review.samples import SampleLibrary
from cds_service.review.site_file import load_site
from cds_service.settings import Settings, load_settings
from hooks.codes.tables import CODES, PRODUCTS
from hooks.coding.alternatives import READINGS
from hooks.coding.contrast_words import leaves_open
from hooks.coding.products import agent_in
from hooks.coding.statements import applies
from hooks.publish import ask as hooks_ask
from hooks.publish import audit as hooks_audit
from hooks.publish import described as hooks_described
from hooks.publish import reference as hooks_reference
from hooks.publish.catalogs import KNOWLEDGE
from hooks.publish.patient import patient_words


def create_site(settings: Settings) -> Site:
    """The site's choices, by its file. Raises SettingsError."""
    return load_site(settings.site_file, hooks.vocabulary()) if settings.site_file else DEFAULT_SITE


def create_reference(site: Site) -> Reference:
    """The pages of all codes, with the site's own statements."""
    return with_statements(hooks_reference.reference(), site.statements)


def create_advisor(settings: Settings, catalogs: Catalogs | None = None) -> Advisor:
    """An Advisor with all rules and the site's settings; without catalogs, its cards are English.

    Raises SettingsError.
    """
    site = create_site(settings)
    return Advisor(
        rules=hooks.all_rules(),
        client=FhirClient(settings.fhir_servers, settings.fetch_seconds),
        hook_namespace=settings.hook_namespace,
        canonical_base=settings.canonical_base,
        max_entries=settings.max_entries,
        max_lines=settings.max_lines,
        max_cpu_seconds=settings.max_cpu_seconds,
        site=replace(site, order_suggestions=settings.order_suggestions),
        scope=scope_of(hooks.all_rules()),
        readings=READINGS,
        tables=create_tables(settings),
        applies=applies,
        catalogs=catalogs,
    )


def create_toolbox(settings: Settings) -> Toolbox:
    """The tools for assistants. Raises SettingsError and TableError."""
    advisor = create_advisor(settings)
    reference, writer = create_reference(advisor.site), create_case_writer()
    return Toolbox(advisor=advisor, writer=writer, reference=reference, asker=create_asker(advisor))


def create_tables(settings: Settings) -> Tables:
    """The loaded CMS tables, for lookup; none without CDS_TABLES_DIR. Raises SettingsError for no folder."""
    if settings.tables_dir and not os.path.isdir(settings.tables_dir):  # noqa: PTH112  # false for a name that is too long
        raise SettingsError("CDS_TABLES_DIR: expected a folder; `cds-service tables add` makes it")
    return Tables(settings.tables_dir)


def codes_in_scope() -> frozenset[str]:
    """Every billing code that a rule is about."""
    return scope_of(hooks.all_rules()).codes


def create_auditor(
    settings: Settings, fees: FeeTable | Literal["medicare"], everything: bool, language: Language = ENGLISH
) -> Auditor:
    """An Auditor for exported records; each worker process builds its own.

    `fees` are the site's, or Medicare's from the loaded tables; `language` is that of the report. Raises SettingsError,
    and UnreadableInput without such fees.
    """
    advisor = create_advisor(settings)
    amounts = MedicareFees(advisor.tables.snapshot()) if isinstance(fees, str) else fees
    knowledge, catalogs = hooks_audit.knowledge(), create_catalogs()
    return Auditor(advisor, knowledge, amounts, everything=everything, language=language, catalogs=catalogs)


def auditor_with_tables(folder: Path) -> Callable[[], Auditor]:
    """A maker of auditors that use the loaded tables of a folder, and otherwise the settings. Raises SettingsError."""
    settings = load_settings().model_copy(update={"tables_dir": folder})
    return partial(create_auditor, settings, FeeTable(), everything=False)


def service_directory(namespace: str) -> ServiceDirectory:
    """All services, with the site's hook namespace."""
    return ServiceDirectory(hooks.all_services(), namespace)


def samples(namespace: str) -> SampleLibrary:
    """The sample requests: a package of data beside the rules, in a checkout and in a wheel alike."""
    return SampleLibrary(Path(str(files(sample_bundles))), service_directory(namespace), describe)


def product_of(concept: Concept) -> str:
    """The name of the contrast product that a concept names with certainty; empty if it names none."""
    agent = agent_in(concept)
    if agent is None or not agent.certain or len(agent.codes) > 1 or concept.parts or not concept.values(NDC):
        return ""
    named = (product.name for product in PRODUCTS if product.code in agent.codes and product.ndc)
    return next(named, "")


def describe(case: Case) -> Described:
    """A case in billers' notation, with the contrast products and the words that the rules know."""
    return described(case, product_of, leaves_open)


def create_case_writer() -> CaseWriter:
    """The writer of cases, with the names of contrast products and the descriptions of codes."""
    products = {product.name: product.ndc[0] if product.ndc else product.code for product in PRODUCTS}
    return CaseWriter(products, {entry.code: entry.words for entry in CODES})


def create_catalogs() -> Catalogs:
    """The catalogs of the machine and of the knowledge, each read at its first use."""
    return Catalogs(MACHINE.catalogs, KNOWLEDGE.catalogs)


def create_explainer(catalogs: Catalogs) -> Explainer:
    """Explains charges to patients."""
    return Explainer(patient_words(), catalogs)


def create_asker(advisor: Advisor, catalogs: Catalogs | None = None) -> Asker:
    """Answers questions in words, with the advisor's rules and loaded tables. Raises TableError.

    `catalogs` hold the words of other languages; None for those of the service.
    """
    knowledge = hooks_ask.knowledge()
    own = site_facts(advisor.site.statements, hooks.vocabulary().topics)
    with_own = replace(knowledge, facts=(*own, *knowledge.facts)) if own else knowledge
    translate = (catalogs or create_catalogs()).template
    return Asker(hooks_reference.reference(), advisor, create_case_writer(), with_own, translate)


def create_case_reader(advisor: Advisor, catalogs: Catalogs | None = None) -> CaseReader:
    """Reads cases described in words, as `create_asker` does questions. Raises TableError."""
    translate = (catalogs or create_catalogs()).template
    return CaseReader(advisor, create_case_writer(), hooks_described.case_knowledge(), translate)
