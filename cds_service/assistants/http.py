"""The server over streamable HTTP, behind the service's own gate. Without sessions, so that any worker may answer."""

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings

from cds_service.assistants.admission import PATH, Admission
from cds_service.auth.tokens import TokenVerifier
from cds_service.settings import Settings


def create_http_app(server: "Server[Any]", settings: Settings, verifier: TokenVerifier | None) -> Admission:
    """The ASGI application at /mcp; `verifier` None: development."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.max_body_bytes,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the gate does that
    )
    return Admission(app, settings, verifier)
