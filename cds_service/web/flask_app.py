"""Flask without what this service has none of. Every call asks for it: 7 µs of 350 for a short one."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

_NO_SESSION = NullSession()  # refuses to be written to, so all calls can share it


class _NoSessions(SessionInterface):
    """Nothing is remembered of a caller between calls."""

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002
        return _NO_SESSION

    def save_session(self, *_: object) -> None:
        """Nothing is to be saved."""


class App(Flask):
    """A Flask that keeps no sessions and whose functions are all synchronous."""

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: none has to be awaited, and Flask would look at each of nine a call to find that out."""
        return func
