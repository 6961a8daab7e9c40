"""Cases in billers' notation for tests; `cds_service/sandbox/notation.py` explains the notation."""

import json
from typing import Any

from cds_service.sandbox.notation import CaseWriter, bundle, parse_line

__all__ = ["body_of", "bundle", "parse_line", "request_of", "service_of"]

WRITER = CaseWriter({"Definity": "11994-011-04", "Optison": "0407-2707-03", "Lumason": "0270-7097-08"})


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    """The CDS Hooks request that a case stands for."""
    return WRITER.request(case)


def body_of(case: dict[str, Any]) -> bytes:
    """The request as it goes over the wire."""
    return json.dumps(request_of(case)).encode()


def service_of(case: dict[str, Any]) -> str:
    """The service that the case is sent to."""
    return "contrast-echo-order-sign" if case.get("hook") == "order" else "contrast-echo-claim-review"
