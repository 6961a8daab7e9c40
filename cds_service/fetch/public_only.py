"""Connections that go to public addresses only.

A name is resolved once, every address that it has is checked, and the connection goes to an address that was checked:
a name that leads elsewhere the next time (DNS rebinding) finds nobody who asks again. Nothing is sent before that.
"""

import socket
from typing import Any

import requests
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from cds_service.fhir.servers import is_public


def public_only(session: requests.Session) -> requests.Session:
    """The session, with connections to private addresses refused."""
    for adapter in set(session.adapters.values()):  # one of them may serve both schemes
        manager: Any = adapter.poolmanager  # type: ignore[attr-defined]
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _public_pool(pool) for scheme, pool in pools.items()}
    return session


class _PublicPeer(HTTPConnection):
    """Mixed into a connection class: resolves and checks before anything is opened."""

    def _new_conn(self) -> socket.socket:
        named = self._dns_host
        last: Exception | None = None
        for address in self._checked(named):
            self._dns_host = address
            try:
                return super()._new_conn()
            except NewConnectionError as error:
                last = error
            finally:
                self._dns_host = named  # TLS still asks for a certificate of the name
        raise last or NewConnectionError(self, "the name has no address")

    def _checked(self, named: str) -> list[str]:
        try:
            found = socket.getaddrinfo(named, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(named, self, socket.gaierror(str(error))) from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(map(is_public, addresses)):
            raise NewConnectionError(self, "the name leads to a private address")
        return addresses


def _public_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    connection = type(f"Public{pool.ConnectionCls.__name__}", (_PublicPeer, pool.ConnectionCls), {})
    return type(f"Public{pool.__name__}", (pool,), {"ConnectionCls": connection})
