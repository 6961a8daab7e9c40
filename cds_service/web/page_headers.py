"""Security headers of the pages: one content security policy, no MIME sniffing, no referrer."""

from flask import Blueprint, Response

# Nothing is loaded from other hosts and no script runs: the pages work offline and inside a hospital's network.
WITHOUT_SCRIPTS = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# The page's own scripts may run and call this service only.
WITH_OWN_SCRIPTS = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def register(routes: Blueprint, policy: str) -> None:
    """Set the security headers on every response of a blueprint."""

    @routes.after_request
    def set_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
