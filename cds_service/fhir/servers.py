"""Allow-list of FHIR servers, and checks for private addresses."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import msgspec


class AllowedServer(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A FHIR server by its base URL. `private`: its name may resolve to a private address."""

    url: str
    private: bool = False

    @property
    def public_only(self) -> bool:
        """True if connections to private addresses are refused; a literal IP address is always allowed."""
        parts = _parts(self.url)
        return not self.private and not (parts and parts.hostname and _address(parts.hostname))

    def fault(self) -> str | None:
        """The error in this allow-list entry; None if it is valid."""
        parts = _parts(self.url)
        if parts is None or parts.username is not None or parts.query or parts.fragment:
            return "expected `url` to be a base URL such as https://ehr.example.org/fhir"
        if not (is_secure(self.url) or self.private):
            return "expected an https URL, since access tokens are sent there (http requires `private: true`)"
        return None


@dataclass(frozen=True, slots=True)
class AllowList:
    """The FHIR servers that may be queried for a client."""

    servers: tuple[AllowedServer, ...] = ()

    def find(self, url: str) -> AllowedServer | None:
        """The entry of a server; compared exactly, except for a trailing slash."""
        return next((each for each in self.servers if each.url.rstrip("/") == url.rstrip("/")), None)


def is_secure(url: str) -> bool:
    """True if the connection cannot be intercepted: https, or localhost."""
    parts = _parts(url)
    return parts is not None and (parts.scheme == "https" or is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """True if a host is a loopback address or `localhost`."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost"


def is_loopback_name(host: str) -> bool:
    """True for localhost, names below it, and loopback addresses."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_public(address: str) -> bool:
    """True if an IP address is public: not private, loopback, link-local, multicast or reserved."""
    known = _address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address):
        inner = known.ipv4_mapped or known.sixtofour or (known.teredo[1] if known.teredo else None) or _nat64(known)
        known = inner or known
    return known is not None and known.is_global and not known.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that NAT64 translates to (64:ff9b::/96)."""
    is_translated = address in ipaddress.IPv6Network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if is_translated else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL; None if it cannot be parsed."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if invalid
    except ValueError:
        return None
    return parts


def _parts(url: str) -> SplitResult | None:
    """The parts of an absolute http or https URL; None for anything else."""
    parts = split_url(url)
    return parts if parts and parts.scheme in {"http", "https"} and parts.hostname else None
