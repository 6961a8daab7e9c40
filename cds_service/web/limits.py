"""How much one call, one client and all calls together may take. Counts are kept by each worker for itself."""

import math
import re
from collections import Counter
from itertools import accumulate
from threading import Condition

from flask import Flask, Response, g

from cds_service.errors import BadRequest, Overloaded, TooLarge, TooManyCalls
from cds_service.settings import Settings
from cds_service.web import exchange, gate, observing
from cds_service.web.answers import outcome
from cds_service.web.pace import Bucket

# FHIR needs fewer than forty levels.
MOST_LEVELS = 64

# A Bundle's entry has some thirty objects and lists on average: codings, references, quantities.
_PARTS_PER_ENTRY = 50

# A short burst waits for so long instead of being refused, in seconds.
_PATIENCE_SECONDS = 0.1

# What is left of JSON when everything but its shape is taken away.
_NOT_SHAPE = bytes(set(range(256)) - set(b'"[]{},'))
_STRING = re.compile(rb'"[^"]*"')
_COMMA = ord(",")
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def body(settings: Settings) -> bytes:
    """The body of the request, unpacked and within the bounds that the settings give. Raises RequestError."""
    return require_bounded(exchange.body(settings.max_body_bytes), settings.max_entries)


def require_bounded(body: bytes, most_entries: int) -> bytes:
    """The body, where its nesting and its lists are within bounds; told from its brackets, before it is decoded.

    Raises BadRequest where it is nested too deeply, TooLarge where a list, or all of it, has too many elements.
    """
    shape = _shape(body)
    if shape.count(b"{") + shape.count(b"[") > _PARTS_PER_ENTRY * most_entries:
        raise TooLarge("the body holds more objects than this service accepts")
    steps = map(_STEPS.__getitem__, shape.translate(None, b'",'))
    if max(accumulate(steps), default=0) > MOST_LEVELS:
        raise BadRequest(f"the body is nested in more than {MOST_LEVELS} levels")
    if shape.count(b",") >= most_entries and _longest(shape) > most_entries:
        raise TooLarge(f"a list of the body holds more than {most_entries} elements")
    return body


def _shape(body: bytes) -> bytes:
    """Brackets and commas outside texts. What is not JSON may have any shape: the decoder refuses it."""
    without_escapes = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    return _STRING.sub(b"", without_escapes.translate(None, _NOT_SHAPE))


def _longest(shape: bytes) -> int:
    """The number of elements of the longest list or object."""
    longest = commas = 0
    outer: list[int] = []
    for sign in shape:
        if sign == _COMMA:
            commas += 1
            longest = max(longest, commas)
        elif _STEPS.get(sign) == 1:
            outer.append(commas)
            commas = 0
        else:
            commas = outer.pop() if outer else 0
    return longest + 1


# --- calls ----------------------------------------------------------------------------------------------------------


class Counts:
    """The calls that are being answered, of all clients and of each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = Condition()
        self._all = 0
        self._of: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}

    def enter(self) -> None:
        """Count a call in. Raises Overloaded where there are too many."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._all < self._settings.max_calls, _PATIENCE_SECONDS):
                raise Overloaded("the service answers as many calls as it can; send it again")
            self._all += 1

    def enter_of(self, client: str) -> None:
        """Count a call of a client in. Raises TooManyCalls."""
        with self._changed:
            seconds = self._buckets.setdefault(client, Bucket(self._settings.calls_per_second)).wait()
            if seconds:
                raise TooManyCalls("this client calls too often", math.ceil(seconds))
            most = self._settings.max_calls_per_client
            if not self._changed.wait_for(lambda: self._of[client] < most, _PATIENCE_SECONDS):
                raise TooManyCalls("this client has too many calls at once")
            self._of[client] += 1

    def leave(self, client: str | None) -> None:
        """Count a call out."""
        with self._changed:
            self._all -= 1
            if client is not None:
                self._of[client] -= 1
            self._changed.notify_all()


def register(app: Flask, settings: Settings) -> Counts:
    """Count calls in before anything else is done for them, and out when they are answered."""
    counts = Counts(settings)

    @app.before_request
    def enter() -> None:
        if not gate.is_free():
            counts.enter()
            g.is_counted = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if g.pop("is_counted", False):
            counts.leave(g.pop("counted_client", None))

    @app.errorhandler(TooManyCalls)
    def on_too_many(error: TooManyCalls) -> Response:
        observing.explain(error.message, client=_client())
        answer = outcome(error.status, error.code, error.message)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    return counts


def register_clients(app: Flask, counts: Counts) -> None:
    """Count the calls of each registered client, once it is known who calls."""

    @app.before_request
    def enter_client() -> None:
        caller = gate.caller()
        if caller is not None and caller.registration is not None:
            counts.enter_of(caller.client)
            g.counted_client = caller.client


def _client() -> str | None:
    caller = gate.caller()
    return caller.client if caller else None
