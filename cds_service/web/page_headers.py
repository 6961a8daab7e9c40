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

# The same for a page whose form opens another page of this service.
WITH_OWN_FORMS = WITH_OWN_SCRIPTS.replace("form-action 'none'", "form-action 'self'")

# The same for the page of the API: the style sheet of Swagger UI holds its icons as `data:` addresses.
WITH_DRAWN_ICONS = WITH_OWN_SCRIPTS.replace("img-src 'self'", "img-src 'self' data:")


def headers(policy: str) -> dict[str, str]:
    """The security headers of a page with a policy."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def register(routes: Blueprint, policy: str) -> None:
    """Set the security headers on every response of a blueprint."""

    @routes.after_request
    def set_headers(response: Response) -> Response:
        response.headers.update(headers(policy))
        return response
