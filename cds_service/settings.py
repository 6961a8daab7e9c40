"""Every setting, with its default; read from the environment and validated at start."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from cds_service.errors import SettingsError
from cds_service.telemetry import tracing

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
    """The address with its driver. PostgreSQL is written in several ways, and hosts differ in which they hand out."""
    named = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    try:
        address = make_url(named)
    except (ArgumentError, ValueError):
        raise ValueError(_DATABASES) from None
    is_file = address.drivername == "sqlite" and address.database not in {None, "", ":memory:"}
    if not is_file and address.drivername != "postgresql+psycopg":
        raise ValueError(_DATABASES)
    return named


_DATABASES = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"


def _installed(value: bool) -> bool:
    if value and not tracing.is_installed():
        raise ValueError("needs the extra `otel`: pip install 'contrast-echo-cds[otel]'")
    return value


def _readable(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not path.startswith("/") or path.startswith("/cds-services") for path in value):
        raise ValueError("expected addresses of pages such as /rules")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("expected an absolute http or https address")
    return value.rstrip("/")


class Settings(BaseSettings):
    """The service's settings; each is the environment variable `CDS_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="CDS_", extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

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
        description="Address under which clients reach the service: tokens name it, links in cards lead there. "
        "Required in production; in development taken from each call.",
    )
    mode: Literal["production", "development"] = Field(
        default="production",
        description="`production`: only registered clients may call. `development`: anyone on this machine may.",
    )
    clients_file: Path | None = Field(
        default=None, description="YAML file of the clients that may call; see `cds-service clients`."
    )
    token_seconds: int = Field(
        default=300, ge=10, le=3600, description="Longest life of a client's token (`exp` less `iat`), in seconds."
    )
    open_paths: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_readable)] = Field(
        default=(),
        description="Addresses that may be read (GET) without a token, with all below them, separated by commas: cards "
        "lead people to /rules.",
    )
    max_entries: int = Field(
        default=20_000, ge=100, description="Most elements of one list in a request, such as the entries of a Bundle."
    )
    max_calls: int = Field(default=16, ge=1, le=256, description="Most calls that one worker answers at once.")
    max_calls_per_client: int = Field(
        default=12, ge=1, description="Most calls of one client that one worker answers at once."
    )
    calls_per_second: float = Field(
        default=50.0,
        gt=0,
        description="Calls of one client that one worker takes in the long run; twice as many at once.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_origins)] = Field(
        default=(), description="Origins of browser-based clients that may call, separated by commas."
    )
    fhir_servers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        default=(),
        description="In development: base addresses of FHIR servers that may be asked for what prefetch lacks, "
        "separated by commas; without any, only servers on the loopback addresses of this machine. In production each "
        "client's registration lists its own.",
    )
    fetch_seconds: float = Field(
        default=3.0, gt=0, le=60, description="Longest time for everything that one call fetches, in seconds."
    )
    database_url: Annotated[str, AfterValidator(_database_address)] = Field(
        default="sqlite:///contrast-echo-cds.sqlite3",
        validation_alias=AliasChoices("CDS_DATABASE_URL", "DATABASE_URL"),
        repr=False,
        description="Where cards, feedback and the audit log are kept: sqlite:///FILE, or "
        "postgresql://USER:PASSWORD@HOST/NAME; DATABASE_URL is read too.",
    )
    database_connections: int = Field(
        default=4, ge=2, le=100, description="Most connections to the database that one worker opens."
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="Age in days at which `cds-service database purge` removes cards, feedback and audit entries.",
    )
    traces: Annotated[bool, AfterValidator(_installed)] = Field(
        default=False,
        description="Send OpenTelemetry traces of calls; where to is said by OpenTelemetry's own variables.",
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
    pages_password: Annotated[SecretStr, Field(min_length=12)] | None = Field(
        default=None,
        description="In production: the password, of 12 characters or more, that a browser is asked for before it sees "
        "pages (any name will do). Without it /insights is not served in production.",
    )
    sandbox: bool | None = Field(
        default=None,
        description="Serve the sandbox at /sandbox, on which cases are looked at and tried out; unset: in development "
        "only. In production it needs CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY.",
    )

    sandbox_key: Path | None = Field(
        default=None,
        description="Private key (PEM) with which the sandbox signs its calls; without it, one that is made at start.",
    )

    @property
    def has_sandbox(self) -> bool:
        """Whether the sandbox is served: where it is asked for, else in development."""
        return self.mode == "development" if self.sandbox is None else self.sandbox

    @property
    def has_insights(self) -> bool:
        """Whether the insights are served: in production behind a password only."""
        return self.mode == "development" or self.pages_password is not None

    @model_validator(mode="after")
    def _sheltered_sandbox(self) -> "Settings":
        if self.mode == "production" and self.sandbox and not (self.pages_password and self.sandbox_key):
            raise ValueError("CDS_SANDBOX: in production it needs CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY")
        return self


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CDS_{name.removeprefix('CDS_').upper()}"


def table() -> str:
    """Every setting with its default and what it is for, as a table in Markdown."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "" if default in {None, ()} else f"`{default}`"
        rows.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    return "\n".join(rows)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError, one line for each setting at fault.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = [_fault(each) for each in error.errors()]
        raise SettingsError("\n".join(faults)) from None


def _fault(error: ErrorDetails) -> str:
    """One line; a fault of several settings together names them itself."""
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    return f"{variable(str(error['loc'][0]))}: {error['msg']}"
