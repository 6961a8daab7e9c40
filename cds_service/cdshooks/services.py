"""Declarations of CDS Hooks services, and the discovery response."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cds_service.cdshooks.messages import SPECIFICATION, Context, Message, decode
from cds_service.core.case import Case, Stage
from cds_service.errors import BadRequest, UnknownService


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as declared by its hook module.

    `hook` may contain `{namespace}`, replaced by the site's. `context_bundle` is the context member with the Bundle
    under review; without one, the encounter is under review and its charges come from the record. `prefetch` are the
    templates, `required` the keys that must be available, and `needed_keys` returns the keys that rules use for a case.
    `read_only`: fixes that lack details get no suggestions.
    """

    id: str
    hook: str
    title: str
    description: str
    usage: str
    stage: Stage
    context: type[Context]
    prefetch: dict[str, str]
    needed_keys: Callable[[Case], frozenset[str]]
    context_bundle: str | None = None
    required: tuple[str, ...] = ()
    read_only: bool = False
    hook_version: str | None = None


class ServiceEntry(Message):
    """A service in the discovery response. `version` is the CDS Hooks version, `hookVersion` the hook definition's."""

    hook: str
    id: str
    description: str
    title: str | None = None
    prefetch: dict[str, str] | None = None
    usage_requirements: str | None = None
    version: str | None = None
    hook_version: str | None = None


class Discovery(msgspec.Struct):
    """The discovery response."""

    services: tuple[ServiceEntry, ...]


@dataclass(frozen=True, slots=True)
class ServiceDirectory:
    """The services of a site, by id and hook; `namespace` is the site's prefix for our own hook."""

    services: tuple[Service, ...]
    namespace: str

    def discovery(self) -> Discovery:
        """The discovery response."""
        return Discovery(tuple(_entry(service, self.hook_of(service)) for service in self.services))

    def hook_of(self, service: Service) -> str:
        """A service's full hook name at this site."""
        return hook_name(service, self.namespace)

    def with_id(self, service_id: str) -> Service:
        """The service with an id. Raises UnknownService."""
        found = next((service for service in self.services if service.id == service_id), None)
        if found is None:
            known = ", ".join(service.id for service in self.services)
            raise UnknownService(f"unknown service id; expected one of {known}")
        return found

    def on_hook(self, hook: str) -> Service:
        """The service of a hook, matched by the last part of its name, since samples may have another namespace.

        Raises BadRequest.
        """
        by_name = {_last_part(service.hook): service for service in self.services}
        found = by_name.get(_last_part(hook))
        if found is None:
            raise BadRequest(f"`hook`: expected one of {', '.join(sorted(by_name))}", "hook")
        return found

    def localized(self, body: bytes) -> tuple[Service, bytes]:
        """The service of a request from any site, and the request with this site's hook name.

        Raises BadRequest if it names none of these services' hooks.
        """
        hook = decode(body, _RequestHead).hook
        service = self.on_hook(hook)
        return service, body.replace(f'"{hook}"'.encode(), f'"{self.hook_of(service)}"'.encode(), 1)


class _RequestHead(msgspec.Struct):
    hook: str


def _last_part(hook: str) -> str:
    return hook.rpartition(".")[2]


def _entry(service: Service, hook: str) -> ServiceEntry:
    return ServiceEntry(
        hook=hook,
        id=service.id,
        title=service.title,
        description=service.description,
        prefetch=service.prefetch or None,
        usage_requirements=service.usage,
        version=SPECIFICATION,
        hook_version=service.hook_version,
    )


def hook_name(service: Service, namespace: str) -> str:
    """A service's full hook name in a namespace."""
    return service.hook.format(namespace=namespace)
