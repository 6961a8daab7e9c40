"""The language of a page: `?lang=` or the form's `lang`, the language chosen before (a cookie), `Accept-Language`."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from cds_service.languages.known import ENGLISH, Language, chosen

PARAMETER = "lang"

# The cookie holds the tag of a language and nothing else. It is kept for a year.
COOKIE = "lang"
_KEPT_SECONDS = 365 * 24 * 60 * 60


def requested(in_form: str | None = None) -> Language:
    """The language of the request; `in_form` is that of a form. Raises UnknownLanguage for a tag of no language."""
    asked = in_form if in_form is not None else request.args.get(PARAMETER)
    return chosen(asked, request.cookies.get(COOKIE), _accepted())


def of_call(registered: str | None) -> Language:
    """The language of a call's cards: the first of `Accept-Language` that is known, else the registered one, if any."""
    if registered is None and not request.accept_languages:
        return ENGLISH
    return chosen(None, None, [*_accepted(), registered or ""])


def require_known(routes: Blueprint) -> None:
    """Refuse a language that is not spoken, also where the answer is JSON, which is English."""
    routes.before_request(_require_known)


def _require_known() -> None:
    requested()


def _accepted() -> Iterator[str]:
    """The tags of `Accept-Language`, best first; those with quality 0 are refused ones."""
    yield from (tag for tag, quality in request.accept_languages if quality > 0)


def in_language(response: Response, language: Language, *, keep: bool = False) -> Response:
    """The response with its language for caches and readers; `keep` makes it the language of the next pages."""
    response.headers["Content-Language"] = language.tag if language.is_english else f"{language.tag}, en"
    response.vary.update(("Accept-Language", "Cookie"))
    if keep:
        settings: dict[str, Any] = {"samesite": "Lax", "httponly": True, "secure": request.is_secure}
        response.set_cookie(COOKIE, language.tag, max_age=_KEPT_SECONDS, **settings)
    return response
