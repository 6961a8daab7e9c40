"""The service's exceptions, grouped by who can fix the problem.

    ServiceError
    ├── RequestError           fixed by the client: becomes a FHIR OperationOutcome (4xx or 503)
    │   ├── BadRequest         400  malformed JSON, or a missing or mistyped field
    │   │   └── UnknownLanguage  400  `lang` names no language of the pages
    │   ├── UnknownService     404  unknown service id
    │   ├── NotTrusted         401  no valid client token; the reason is logged, not sent
    │   ├── NotAllowed         403  the client is not registered for this tenant or service
    │   ├── WrongMethod        405  the address answers other methods
    │   ├── DataMissing        412  required data was not sent and cannot be fetched
    │   ├── TooLarge           413  the body exceeds the size limit
    │   │   └── TooMuchWork    413  its records take too much time to compare
    │   ├── NotJson            415  the content type is not JSON
    │   ├── UnknownEncoding    415  unsupported content encoding
    │   ├── WrongHost          421  in development: not a loopback name
    │   ├── TooManyCalls       429  the client exceeded its rate or concurrency limit
    │   ├── Overloaded         503  the process is at its concurrency limit
    │   └── StoreUnavailable   503  the database cannot store the request; retry later
    ├── KeysUnavailable        a client's key set: becomes a 401, and a line in the log or the terminal
    ├── UnreadableInput        fixed at the terminal: one plain line, exit code 2
    │   └── UnreadableCase     a case that is not billers' notation; names the word at fault and what was expected
    ├── UnusableFile           fixed by the operator: a file of CMS; names file, line, column and expected value
    ├── TableError             fixed in `hooks/codes/`: names file, entry and expected value
    ├── RuleError              fixed in `hooks/rules/`: names file and expected form
    └── SettingsError          fixed by the operator: names variable and expected value

Messages name the field and the expected value. They never repeat a client's value, which may be patient data. Only
UnreadableCase repeats the word at fault, to the person who typed it; it is never logged.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar, TypeVar

T = TypeVar("T")

LONGEST_WORD = 60  # characters of a word at fault that a message repeats


class ServiceError(Exception):
    """Base class of the project's own exceptions."""


class RequestError(ServiceError):
    """A request that the client has to correct or retry.

    `expression` is the path of the field at fault (`context.patientId`), empty if there is no single field.
    `headers` are added to the response.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str, expression: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression


class BadRequest(RequestError):
    """The body is not a valid message of the specification."""


class UnknownLanguage(BadRequest):
    """The tag of no language of the pages."""

    def __init__(self, tags: Iterable[str]) -> None:
        super().__init__(f"`lang`: expected one of {', '.join(tags)}", "lang")


class UnknownService(RequestError):
    """Unknown service id."""

    status = 404
    code = "not-found"


class WrongMethod(RequestError):
    """The address takes POST only."""

    status = 405
    code = "not-supported"
    headers: ClassVar[dict[str, str]] = {"Allow": "POST"}


class DataMissing(RequestError):
    """Required data was not sent, and there is no FHIR server to fetch it from."""

    status = 412
    code = "required"


class TooLarge(RequestError):
    """The body exceeds the size limit, as sent or decompressed."""

    status = 413
    code = "too-long"


class TooMuchWork(TooLarge):
    """The records of a call take more CPU time to compare than a call may take."""

    code = "too-costly"


class StoreUnavailable(RequestError):
    """The database cannot store the request. `Retry-After` is in seconds."""

    status = 503
    code = "transient"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}


class NotJson(RequestError):
    """The content type is not JSON."""

    status = 415
    code = "not-supported"


class UnknownEncoding(RequestError):
    """Unsupported content encoding; the `Accept-Encoding` header lists the supported ones."""

    status = 415
    code = "not-supported"
    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "gzip"}


class NotTrusted(RequestError):
    """The call has no valid client token. The message is logged only.

    `named` identifies the issuer that the token claims, in a form that may be logged.
    """

    status = 401
    code = "login"

    def __init__(self, message: str, **named: str) -> None:
        super().__init__(message)
        self.named = named


class NotAllowed(RequestError):
    """The client is not registered for this tenant or service."""

    status = 403
    code = "forbidden"


class WrongHost(RequestError):
    """The request names a host that is not served in development, where only loopback names are."""

    status = 421
    code = "forbidden"


class TooManyCalls(RequestError):
    """The client exceeded its limits. `retry_after` is in seconds."""

    status = 429
    code = "throttled"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(TooManyCalls):
    """The process is at its concurrency limit."""

    status = 503
    code = "throttled"


class KeysUnavailable(ServiceError):
    """A client's key set cannot be fetched or parsed; the message is the reason."""


class UnreadableInput(ServiceError):
    """A command-line input is not a Bundle or a CDS Hooks request."""


class UnreadableCase(UnreadableInput):
    """A case that is not billers' notation.

    `word` is the word at fault, `shown` as it is shown, `expected` what was expected of it, `key` the key under which
    it stands, `line` its line in a text, 0 if there is none.
    """

    def __init__(self, word: str, expected: str, key: str = "") -> None:
        shown = word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"
        super().__init__(f"{_printable(shown)}: {expected}" if shown else expected)
        self.word = word
        self.shown = _printable(shown)
        self.expected = expected
        self.key = key
        self.line = 0


class UnusableFile(ServiceError):
    """A file of CMS that cannot be loaded; the message names file, line, column and the expected value."""


class TableError(ServiceError):
    """An invalid code table; the message names the file, the line and the expected value."""


class SettingsError(ServiceError):
    """An invalid setting; the message names the variable and the expected value."""


class RuleError(ServiceError):
    """An invalid rule file; the message names the file and the expected form."""


class Faults:
    """Collects faults of configuration, in one line each, so that an operator sees all of them at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, lines: Iterable[str]) -> None:
        """Add faults; those that are known already are left out."""
        self.lines += [line for line in dict.fromkeys(map(_printable, lines)) if line not in self.lines]

    def attempt(self, make: Callable[[], T], prefix: str = "") -> T | None:
        """The result of a function; None if it raised SettingsError, whose lines are added after a prefix."""
        try:
            return make()
        except SettingsError as error:
            self.add(prefix + line for line in str(error).splitlines())
            return None

    def raise_all(self) -> None:
        """Raise SettingsError with all faults, if there are any."""
        if self.lines:
            raise SettingsError("\n".join(self.lines))


def _printable(line: str) -> str:
    """A line with other characters escaped: names of files may have any, and a terminal cannot show them all."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
