"""CDS Hooks services: their declaration by the hook modules, and the discovery response."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cds_service.cdshooks.messages import SPECIFICATION, Context, Message, decode
from cds_service.core.case import Case, Stage
from cds_service.errors import BadRequest, UnknownService


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as its hook file declares it.

    `hook` may hold `{namespace}`, which the site fills. `draft` is the context's member that holds the Bundle which the
    call is about; without one the call is about the encounter, and its charges come from the record. `prefetch` are the
    templates of what else is wanted, `required` the keys without which nothing can be said, and `wanted` tells for a
    case which keys the rules would look at. `read_only`: advice that lacks details is given without suggestions.
    """

    id: str
    hook: str
    title: str
    description: str
    usage: str
    stage: Stage
    context: type[Context]
    prefetch: dict[str, str]
    wanted: Callable[[Case], frozenset[str]]
    draft: str | None = None
    required: tuple[str, ...] = ()
    read_only: bool = False
    hook_version: str | None = None


class ServiceEntry(Message):
    """A service as discovery lists it. `version` is that of CDS Hooks, `hookVersion` that of the hook's definition."""

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
    """The services of a site, by id and by hook; `namespace` is the site's prefix of our own hook."""

    services: tuple[Service, ...]
    namespace: str

    def discovery(self) -> Discovery:
        """The discovery response."""
        return Discovery(tuple(_entry(service, self.hook_of(service)) for service in self.services))

    def hook_of(self, service: Service) -> str:
        """The full name of a service's hook at this site."""
        return hook_name(service, self.namespace)

    def with_id(self, service_id: str) -> Service:
        """The service with an id. Raises UnknownService."""
        found = next((service for service in self.services if service.id == service_id), None)
        if found is None:
            known = ", ".join(service.id for service in self.services)
            raise UnknownService(f"no service has this id; known are {known}")
        return found

    def on_hook(self, hook: str) -> Service:
        """The service on a hook, found by the last part of the hook's name: samples and files from another site carry
        another namespace. Raises BadRequest.
        """
        by_name = {_last_part(service.hook): service for service in self.services}
        found = by_name.get(_last_part(hook))
        if found is None:
            raise BadRequest(f"`hook`: expected one of {', '.join(sorted(by_name))}", "hook")
        return found

    def localized(self, body: bytes) -> tuple[Service, bytes]:
        """A request from any site: its service, and its JSON with the hook's name at this site.

        Raises BadRequest where it names no hook of these services.
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
    """The full name of a service's hook in a namespace."""
    return service.hook.format(namespace=namespace)
