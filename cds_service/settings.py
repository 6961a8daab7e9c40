"""Every setting, with its default; read from the environment and validated at start."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cds_service.errors import SettingsError

EXAMPLE_NAMESPACE = "org.example"


def _reverse_domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+", value):
        raise ValueError("expected a reverse domain name such as org.example")
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
    max_body_bytes: int = Field(
        default=10 * 1024 * 1024, ge=1024, description="Largest request body in bytes; a larger one is answered 413."
    )
    site_file: Path | None = Field(
        default=None,
        description="YAML file of the site's own codes, payers, rules and vials; see deploy/site.example.yaml.",
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
