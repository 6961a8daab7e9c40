"""What can go wrong, and who can mend it.

    ServiceError
    ├── RequestError           the caller can mend it: becomes a FHIR OperationOutcome (4xx)
    │   ├── BadRequest         400  malformed JSON, a missing or mistyped field
    │   ├── UnknownService     404  no service has this id
    │   ├── NotTrusted         401  the call does not prove who calls; the answer does not say why, the log does
    │   ├── NotAllowed         403  the client is known and not registered for what it calls
    │   ├── DataMissing        412  data without which nothing can be said did not come and cannot be fetched
    │   ├── TooLarge           413  the body is larger than the service accepts
    │   ├── NotJson            415  the body is not declared as JSON
    │   ├── UnknownEncoding    415  the body is packed in a way that the service cannot unpack
    │   ├── TooManyCalls       429  the client calls more often, or more at once, than one client may
    │   ├── Overloaded         503  more calls at once than the process takes
    │   └── StoreUnavailable   503  the database cannot take what was sent; send it again
    ├── UnreadableInput        the person at the terminal can mend it: one plain line, exit code 2
    ├── TableError             whoever edits `hooks/codes/` can mend it: file, entry, what was expected
    ├── RuleError              whoever edits `hooks/rules/` can mend it: file, what was expected
    └── SettingsError          whoever runs the service can mend it: the variable, what was expected

Texts name the field and what was expected. They never repeat a value that came from the caller: it may be patient data.
"""

from typing import ClassVar


class ServiceError(Exception):
    """Everything this project raises on purpose."""


class RequestError(ServiceError):
    """A call that cannot be answered as it stands.

    `expression` is the path of the field at fault (`context.patientId`), empty where no single field is.
    `headers` go along with the answer.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str, expression: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression


class BadRequest(RequestError):
    """The body is not the message that the specification describes."""


class UnknownService(RequestError):
    """No service has this id."""

    status = 404
    code = "not-found"


class DataMissing(RequestError):
    """Data that the service cannot do without did not come along, and there is no FHIR server to fetch it from."""

    status = 412
    code = "required"


class TooLarge(RequestError):
    """The body is larger than the service accepts, as sent or unpacked."""

    status = 413
    code = "too-long"


class StoreUnavailable(RequestError):
    """The database cannot take what was sent. `Retry-After` is in seconds."""

    status = 503
    code = "transient"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}


class NotJson(RequestError):
    """The body is not declared as JSON."""

    status = 415
    code = "not-supported"


class UnknownEncoding(RequestError):
    """The body is packed in a way that the service cannot unpack; the header says what it can."""

    status = 415
    code = "not-supported"
    headers: ClassVar[dict[str, str]] = {"Accept-Encoding": "gzip"}


class NotTrusted(RequestError):
    """The call does not prove who calls. The message is for the log alone.

    `named` are who the token says that it comes from: `issuer`, `jti`, `tenant`. Nobody has to believe them.
    """

    status = 401
    code = "login"

    def __init__(self, message: str, **named: str) -> None:
        super().__init__(message)
        self.named = named


class NotAllowed(RequestError):
    """The client is known and is not registered for what it calls."""

    status = 403
    code = "forbidden"


class TooManyCalls(RequestError):
    """The client calls more than it may. `retry_after` is in seconds."""

    status = 429
    code = "throttled"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(TooManyCalls):
    """The process answers as many calls as it can."""

    status = 503
    code = "throttled"


class UnreadableInput(ServiceError):
    """A file given on the command line cannot be read as a Bundle or as a CDS Hooks request."""


class TableError(ServiceError):
    """A code table breaks its own form; the text names the file, the line and what was expected."""


class SettingsError(ServiceError):
    """A setting has a value that cannot be used; the text names the variable and what was expected."""


class RuleError(ServiceError):
    """A rule file breaks the form of rules; the text names the file and what was expected."""
