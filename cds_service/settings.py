"""Every setting, with its default; read from the environment and validated at start."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from cds_service.errors import SettingsError

EXAMPLE_NAMESPACE = "org.example"


def _reverse_domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+", value):
        raise ValueError("expected a reverse domain name such as org.example")
    return value


def _listed(value: Any) -> Any:
    return (
        tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"https?://[a-zA-Z0-9.-]+(:[0-9]+)?", origin) for origin in value):
        raise ValueError("expected origins such as https://ehr.example.org, without a path and without `*`")
    return value


def _database_address(value: str) -> str:
    try:
        make_url(value)
    except ArgumentError:
        raise ValueError("expected an address such as sqlite:///feedback.sqlite3") from None
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("expected an absolute http or https address")
    return value.rstrip("/")


class Settings(BaseSettings):
    """The service's settings; each is the environment variable `CDS_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="CDS_", extra="ignore", frozen=True)

    hook_namespace: Annotated[str, AfterValidator(_reverse_domain)] = Field(
        default=EXAMPLE_NAMESPACE,
        description="Reverse domain name that you control; it prefixes our own hook: <namespace>.claim-review.",
    )
    canonical_base: Annotated[str, AfterValidator(_web_address)] = Field(
        default="https://example.org/contrast-echo-cds",
        description="Canonical address under which the rule and override-reason CodeSystems are named in cards.",
    )
    public_base_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None,
        description="Address under which clients reach the service, for links in cards; else taken from each call.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_origins)] = Field(
        default=(), description="Origins of browser-based clients that may call, separated by commas."
    )
    fhir_servers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(),
        description="Base addresses of FHIR servers that may be asked for what prefetch lacks, separated by commas; "
        "without any, only servers on the loopback addresses of this machine.",
    )
    fetch_seconds: float = Field(
        default=3.0, gt=0, le=60, description="Longest time for everything that one call fetches, in seconds."
    )
    database_url: Annotated[str, AfterValidator(_database_address)] = Field(
        default="sqlite:///contrast-echo-cds.sqlite3",
        description="Where feedback is stored, as a SQLAlchemy address.",
    )
    keep_comments: bool = Field(
        default=True, description="Store the free text of feedback, which may name the patient; false drops it."
    )
    order_suggestions: Literal["ChargeItem", "ServiceRequest"] = Field(
        default="ChargeItem",
        description="What a suggestion creates at order time: a planned charge, or a draft order for the add-on.",
    )
    max_body_bytes: int = Field(
        default=10 * 1024 * 1024, ge=1024, description="Largest request body in bytes; a larger one is answered 413."
    )
    site_file: Path | None = Field(
        default=None,
        description="YAML file of the site's own codes, payers, rules and vials; see deploy/site.example.yaml.",
    )
    sandbox: bool = Field(
        default=True, description="Serve the sandbox at /sandbox, on which cases are looked at and tried out."
    )


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError, one line for each setting at fault.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [f"CDS_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError("\n".join(faults)) from None
