"""Connections to public addresses only.

A name is resolved once, all its addresses are checked, and the connection uses a checked address, so DNS rebinding has
no effect. Nothing is sent before the check.
"""

import socket

import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from cds_service.fetch.connections import with_connections
from cds_service.fhir.servers import is_public


def public_only(session: requests.Session) -> requests.Session:
    """The session, changed to refuse connections to private addresses."""
    return with_connections(session, _PublicPeer)


class _PublicPeer(HTTPConnection):
    """A connection mixin that resolves and checks addresses before connecting."""

    def _new_conn(self) -> socket.socket:
        named = self._dns_host
        last: Exception | None = None
        for address in self._public_addresses(named):
            self._dns_host = address
            try:
                return super()._new_conn()
            except NewConnectionError as error:
                last = error
            finally:
                self._dns_host = named  # TLS still verifies the certificate of the name
        raise last or NewConnectionError(self, "the name has no address")

    def _public_addresses(self, named: str) -> list[str]:
        try:
            found = socket.getaddrinfo(named, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(named, self, socket.gaierror(str(error))) from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(map(is_public, addresses)):
            raise NewConnectionError(self, "the name resolves to a private address")
        return addresses
