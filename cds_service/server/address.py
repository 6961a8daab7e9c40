"""The address that the server listens on: resolved, checked to be free, and as written in a URL."""

import errno
import socket

from cds_service.errors import SettingsError


def listening_address(host: str, port: int) -> str:
    """The IP address of a host. Raises SettingsError if it has none here, or if the port is in use.

    Workers share a port on purpose, and the system would let another service share it too: half of the calls would then
    go to the wrong one. A socket that does not share finds out.
    """
    family, address = _resolved(host, port)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count as use
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SettingsError(f"cannot listen on {in_url(host)}:{port}: {_reason(error)}") from None
    return address


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise SettingsError(f"--host: expected an address of this machine or `localhost`, not {host}") from None
    return family, str(address[0])


_REASONS = {
    errno.EADDRINUSE: "another program uses the port; stop it, or choose another with --port",
    errno.EACCES: "ports below 1024 are reserved; choose another with --port",
    errno.EADDRNOTAVAIL: "this machine does not have the address",
}


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or "the address cannot be used")


def in_url(host: str) -> str:
    """A host as written in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
