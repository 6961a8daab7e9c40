"""Cases in billers' notation for tests, with the products of the tests; `cds_service/intake/` explains the notation."""

import json
from datetime import date
from typing import Any

from cds_service.core.notation import parse_line
from cds_service.intake.typed import TypedCase
from cds_service.intake.writer import CaseWriter, bundle_of

__all__ = ["body_of", "bundle", "parse_line", "request_of", "service_of", "typed"]

WRITER = CaseWriter(
    {"Definity": "11994-011-04", "Optison": "0407-2707-03", "Lumason": "0270-7097-08", "Imagent": "Q9955"}
)

# What a case of the rules expects, beside the case itself.
EXPECTATIONS = frozenset(
    {"what", "because", "remedies", "recommended", "silent", "indicator", "says", "notes", "cites", "why"}
    | {"asks", "seen", "beside"}
)

bundle = bundle_of


def typed(case: dict[str, Any]) -> TypedCase:
    """The case of a test, without what it expects."""
    return WRITER.parsed({key: _plain(value) for key, value in case.items() if key not in EXPECTATIONS})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    """The CDS Hooks request that a case stands for."""
    return WRITER.request(typed(case))


def body_of(case: dict[str, Any]) -> bytes:
    """The request as it goes over the wire."""
    return json.dumps(request_of(case)).encode()


def service_of(case: dict[str, Any]) -> str:
    """The service that the case is sent to."""
    return "contrast-echo-order-sign" if case.get("hook") == "order" else "contrast-echo-claim-review"
