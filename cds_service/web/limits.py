"""How much one call, one client and all calls together may take. Counts are kept by each worker for itself."""

import math
import re
from collections import Counter
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

# What is left of JSON when everything but brackets, commas and the ends of texts is taken away, with all brackets made
# one kind.
_NOT_MARKS = bytes(set(range(256)) - set(b'"[]{},'))
_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_STRING = re.compile(rb'"[^"]*"')
_COMMA, _OPENING = b",{"

# Lists and objects with few elements, as most are.
_SHORT = tuple(b"{" + b"," * commas + b"}" for commas in range(9))


def body(settings: Settings) -> bytes:
    """The body of the request, unpacked and within the bounds that the settings give. Raises RequestError."""
    return require_bounded(exchange.body(settings.max_body_bytes), settings.max_entries)


def require_bounded(body: bytes, most_entries: int) -> bytes:
    """The body, where its nesting and its lists are within bounds; told from its brackets, before it is decoded.

    Raises BadRequest where it is nested too deeply, TooLarge where a list, or all of it, has too many elements.
    """
    marks = _marks(_without_escapes(body))
    nesting = marks.translate(None, b",")
    if nesting.count(b"{") > _PARTS_PER_ENTRY * most_entries:
        raise TooLarge("the body holds more objects than this service accepts")
    if _is_deeper(nesting, MOST_LEVELS):
        raise BadRequest(f"the body is nested in more than {MOST_LEVELS} levels")
    if len(marks) - len(nesting) >= most_entries and _longest(_without_short(marks, most_entries)) > most_entries:
        raise TooLarge(f"a list of the body holds more than {most_entries} elements")
    return body


def _without_escapes(body: bytes) -> bytes:
    """The same JSON, in whose texts no quotation mark is left but those that begin and end them."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body


def _marks(plain: bytes) -> bytes:
    """Brackets and commas outside texts. What is not JSON may have any: the decoder refuses it.

    Whole passes by C over the body: looking at each byte in Python would take longer than all that follows.
    """
    kept = plain.translate(_ONE_KIND, _NOT_MARKS).replace(b'""', b"")
    return _STRING.sub(b"", kept) if b'"' in kept else kept


def _without_short(marks: bytes, most_entries: int) -> bytes:
    """The same without short lists and objects, the innermost first, as far as it takes to see that no list is long."""
    size = len(marks) + 1
    while marks.count(b",") >= most_entries and len(marks) < size:
        size = len(marks)
        for short in _SHORT[:most_entries]:
            marks = marks.replace(short, b"")
    return marks


def _is_deeper(nesting: bytes, levels: int) -> bool:
    """Whether anything is left when the innermost brackets have been taken away so many times."""
    for _ in range(levels):
        inner, nesting = nesting, nesting.replace(b"{}", b"")
        if len(inner) == len(nesting):
            return b"{" * (levels + 1) in nesting  # they do not match: no JSON
    return bool(nesting)


def _longest(marks: bytes) -> int:
    """The number of elements of the longest list or object."""
    longest = commas = 0
    outer: list[int] = []
    for sign in marks:
        if sign == _COMMA:
            commas += 1
            longest = max(longest, commas)
        elif sign == _OPENING:
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
