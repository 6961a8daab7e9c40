"""Settings with their defaults, read from the environment and validated at startup."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from cds_service.errors import Faults
from cds_service.telemetry import tracing

EXAMPLE_NAMESPACE = "org.example"


def _reverse_domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+", value):
        raise ValueError("expected a reverse domain name such as org.example")
    return value


def _split(value: Any) -> Any:
    return (
        tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"https?://[a-zA-Z0-9.-]+(:[0-9]+)?", origin) for origin in value):
        raise ValueError("expected origins such as https://ehr.example.org, without a path or `*`")
    return value


def _database_url(value: str) -> str:
    """The URL with its SQLAlchemy driver; hosting providers use `postgres://` and `postgresql://`."""
    named = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    try:
        address = make_url(named)
    except (ArgumentError, ValueError):
        raise ValueError(_DATABASES) from None
    is_file = (
        address.drivername == "sqlite"
        and address.database not in {None, "", ":memory:"}
        and not (address.query or address.host)
    )
    if not is_file and address.drivername != "postgresql+psycopg":
        raise ValueError(_DATABASES)
    return named


_DATABASES = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"


def _require_otel(value: bool) -> bool:
    if value and not tracing.is_installed():
        raise ValueError("requires the `otel` extra: pip install 'contrast-echo-cds[otel]'")
    return value


def _page_paths(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not path.startswith("/") or path.startswith("/cds-services") for path in value):
        raise ValueError("expected page paths such as /rules")
    return value


def _web_address(value: str) -> str:
    """A base URL, to which paths are appended: without user, query and fragment."""
    try:
        parts = urlsplit(value)
        is_base = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_base = False
    if not is_base or re.search(r"[\s@?#\\]", value):
        raise ValueError("expected an absolute http or https URL without user, query or fragment")
    return value.rstrip("/")


def _web_addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_web_address, value))


class Settings(BaseSettings):
    """The service's settings; each is read from the environment variable `CDS_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="CDS_", extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    hook_namespace: Annotated[str, AfterValidator(_reverse_domain)] = Field(
        default=EXAMPLE_NAMESPACE,
        description="Reverse domain name that you control; prefix of the custom hook <namespace>.claim-review.",
    )
    canonical_base: Annotated[str, AfterValidator(_web_address)] = Field(
        default="https://example.org/contrast-echo-cds",
        description="Canonical base URL of the rule and override-reason CodeSystems in cards.",
    )
    public_base_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None,
        description="Base URL under which clients reach the service, used to check tokens and to build card links. "
        "Required in production; taken from each request in development.",
    )
    mode: Literal["production", "development"] = Field(
        default="production",
        description="`production`: accepts registered clients only. `development`: accepts any call from localhost "
        "to a loopback name.",
    )
    clients_file: Path | None = Field(
        default=None, description="YAML file of registered clients; see `cds-service clients`."
    )
    token_seconds: int = Field(
        default=300,
        ge=10,
        le=3600,
        description="Maximum lifetime of a client's token (`exp` minus `iat`), in seconds; a registration may state "
        "its own (`token_seconds`).",
    )
    clock_leeway_seconds: int = Field(
        default=10,
        ge=0,
        le=300,
        description="Allowed difference between the clocks of a client and of the service, in seconds.",
    )
    open_paths: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_page_paths)] = Field(
        default=(),
        description="Comma-separated paths that may be read (GET) without a token, including subpaths; for example "
        "/rules, which cards link to.",
    )
    max_entries: int = Field(
        default=20_000,
        ge=100,
        description="Maximum number of elements in one list of a request, such as a Bundle's entries.",
    )
    max_lines: int = Field(
        default=10_000,
        ge=100,
        description="Maximum number of charges and claim lines in one call.",
    )
    max_cpu_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Maximum CPU time for comparing the records of one call, in seconds; a longer call gets 413.",
    )
    max_calls: int = Field(default=16, ge=1, le=256, description="Maximum number of concurrent calls per worker.")
    max_calls_per_client: int = Field(
        default=12, ge=1, description="Maximum number of concurrent calls per client and worker."
    )
    calls_per_second: float = Field(
        default=50.0,
        gt=0,
        allow_inf_nan=False,
        description="Sustained calls per second per client and worker; bursts may be twice as large.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_origins)] = Field(
        default=(),
        description="Comma-separated origins of browser-based clients (CORS). In development, pages of loopback "
        "origins may call the services, /review and /claim without it.",
    )
    fhir_servers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_web_addresses)] = Field(
        default=(),
        description="In development: comma-separated base URLs of FHIR servers to query for data missing from "
        "prefetch; if empty, only servers on localhost. In production, each client's registration lists its own.",
    )
    fetch_seconds: float = Field(
        default=3.0, gt=0, le=60, description="Time limit for all FHIR queries of one call, in seconds."
    )
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite:///contrast-echo-cds.sqlite3",
        validation_alias=AliasChoices("CDS_DATABASE_URL", "DATABASE_URL"),
        repr=False,
        description="Database for cards, feedback and the audit log: sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME. DATABASE_URL is accepted too.",
    )
    database_connections: int = Field(
        default=4, ge=2, le=100, description="Maximum number of database connections per worker."
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36500,
        description="Age in days after which `cds-service database purge` deletes cards, feedback and audit entries.",
    )
    traces: Annotated[bool, AfterValidator(_require_otel)] = Field(
        default=False,
        description="Send OpenTelemetry traces of calls; the OTEL_* variables set the destination.",
    )
    keep_comments: bool = Field(
        default=True,
        description="Store free-text comments of feedback, which may name the patient; `false` discards them.",
    )
    order_suggestions: Literal["ChargeItem", "ServiceRequest"] = Field(
        default="ChargeItem",
        description="Resource that suggestions create at order time: a planned charge or a draft order for the add-on.",
    )
    max_body_bytes: int = Field(
        default=10 * 1024 * 1024,
        ge=1024,
        description="Maximum size of a request body in bytes; larger requests are answered with 413.",
    )
    site_file: Path | None = Field(
        default=None,
        description="YAML file of the site's code mappings, payers, rules and vials; see deploy/site.example.yaml.",
    )
    tables_dir: Path | None = Field(
        default=None,
        description="Folder of the CMS tables that `cds-service tables add` loads. Default: none; the built-in tables "
        "are used.",
    )
    pages_password: Annotated[SecretStr, Field(min_length=12)] | None = Field(
        default=None,
        description="Password for the web pages in production, at least 12 characters (any user name). Without it, "
        "/insights is not served in production.",
    )
    sandbox: bool | None = Field(
        default=None,
        description="Serve the sandbox for trying out cases at /sandbox. Default: in development only. Production "
        "requires CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY.",
    )

    sandbox_key: Path | None = Field(
        default=None,
        description="Private key (PEM) that signs the sandbox's calls; if unset, a key is generated at startup.",
    )

    @property
    def has_sandbox(self) -> bool:
        """True if the sandbox is served: as set, by default in development only."""
        return self.mode == "development" if self.sandbox is None else self.sandbox

    @property
    def has_insights(self) -> bool:
        """True if `/insights` is served; production requires a password."""
        return self.mode == "development" or self.pages_password is not None

    @model_validator(mode="after")
    def _require_protected_sandbox(self) -> "Settings":
        if self.mode == "production" and self.sandbox and not (self.pages_password and self.sandbox_key):
            raise ValueError("CDS_SANDBOX: production requires CDS_PAGES_PASSWORD and CDS_SANDBOX_KEY")
        return self


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CDS_{name.removeprefix('CDS_').upper()}"


def table() -> str:
    """All settings with default and description, as a Markdown table."""
    rows = ["| variable | default | description |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "" if default in {None, ()} else f"`{default}`"
        rows.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    return "\n".join(rows)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError with one line per invalid or unknown setting.
    """
    settings, faults = settings_and_faults()
    faults.raise_all()
    return settings


def settings_and_faults() -> tuple[Settings, Faults]:
    """The settings, with defaults in place of invalid ones, and all faults; other sources are then judged too."""
    faults, replaced = Faults(), dict[str, Any]()
    faults.add(_unknown_names(os.environ))
    while True:
        try:
            return Settings(**replaced), faults
        except ValidationError as error:
            for each in error.errors():
                faults.add([_fault(each)])
                name = str(each["loc"][0]).lower().removeprefix("cds_") if each["loc"] else "sandbox"
                replaced[name] = Settings.model_fields[name].default


# Kubernetes and Docker add such variables for a service that is named `cds`.
_OF_A_SERVICE = re.compile(r"CDS_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\w+)?|NAME|ENV_\w+)")


def _unknown_names(names: Iterable[str]) -> Iterator[str]:
    """A line for each variable that is named like a setting and is none."""
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(names):
        written = name.upper()
        if written.startswith("CDS_") and written not in known and not _OF_A_SERVICE.fullmatch(written):
            near = difflib.get_close_matches(written, known, n=1)
            shown = re.sub(r"[^\w.-]", "?", name, flags=re.ASCII)
            yield f"{shown}: no such setting; " + (f"did you mean {near[0]}?" if near else "see `cds-service settings`")


def _fault(error: ErrorDetails) -> str:
    """The error in one line; errors across several settings already name them."""
    text = error["msg"].removeprefix("Value error, ")
    return f"{variable(str(error['loc'][0]))}: {text}" if error["loc"] else text
