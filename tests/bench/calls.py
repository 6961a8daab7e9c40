"""The calls that are measured: samples of this repository in front of a record as large as wanted."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tests.bench.record import CPT, Record, enlarge
from tests.support.running import ROOT

SAMPLES = ROOT / "sample_bundles"
_NAMED_SERVER = b'{"fhirServer":"http://127.0.0.1:9/fhir",'
ORDER_SIGN = "/cds-services/contrast-echo-order-sign"
CLAIM_REVIEW = "/cds-services/contrast-echo-claim-review"


# A charge by its number: its code, its day (a number), its units.
MakeLine = Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """One request. `cards` is how many cards, each with suggestions, the service must answer it with.

    `naming`: how many of the requests name a FHIR server that need not be asked, as their prefetch lacks nothing.
    """

    name: str
    path: str
    body: bytes
    cards: int = 0
    naming: Literal["never", "half", "always"] = "half"

    @property
    def bodies(self) -> tuple[bytes, ...]:
        """The bodies that are sent in turn."""
        named = _NAMED_SERVER + self.body[1:]
        return {"never": (self.body,), "half": (self.body, named), "always": (named,)}[self.naming]


def measured(size: int) -> list[Call]:
    """The fixed calls with a prefetch of about `size` bytes."""
    return [
        Call("order-sign, another matter: no findings", ORDER_SIGN, _body(_another_matter(), size)),
        Call("order-sign, correct contrast stress echo: no findings", ORDER_SIGN, _body(_order_in_order(), size)),
        Call("claim-review, correct charges: no findings", CLAIM_REVIEW, _body(_sample(CORRECT_CLAIM), size)),
        Call("order-sign: two cards with suggestions", ORDER_SIGN, _body(_faulty_order(), size), 2),
        Call("claim-review: two cards with suggestions", CLAIM_REVIEW, _body(_sample(FAULTY_CLAIM), size), 2),
    ]


CORRECT_CLAIM = "documentation-incomplete/passes-all-eight-items"
FAULTY_CLAIM = "performed-not-charged/flags-only-the-agent-is-charged"
CORRECT_ORDER = "add-on-repeated/passes-58-year-old-man-at-order"
FAULTY_ORDER = "contrast-add-on-missing/flags-65-year-old-man-at-order"


def of_size(size: int) -> Call:
    """An order for another matter whose prefetch is about `size` bytes."""
    return Call(f"{size} bytes", ORDER_SIGN, _body(_another_matter(), size))


def of_lines(count: int, make: MakeLine) -> Call:
    """A claim review of so many charges."""
    request = _sample(CORRECT_CLAIM)
    patient = request["context"]["patientId"]
    entries = [{"resource": _charge(number, make(number), patient)} for number in range(count)]
    request["context"]["draftCharges"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    request["prefetch"] = {key: request["prefetch"][key] for key in ("patient", "encounter", "coverages")}
    return Call(f"{count} lines", CLAIM_REVIEW, _as_bytes(request), naming="never")


def other_lines(number: int) -> dict[str, Any]:
    """Charges that have nothing to do with an echo."""
    return {"code": ("99213", "36415", "80053", "71046")[number % 4], "day": 1 + number % 28, "units": 1}


def echo_lines(number: int) -> dict[str, Any]:
    """Stress echoes with contrast, one a day: the study, its add-on, the supply and a visit."""
    code, units = (("93351", 1), ("93352", 1), ("Q9957", 2), ("99213", 1))[number % 4]
    return {"code": code, "day": number // 4, "units": units}


def supply_lines(number: int) -> dict[str, Any]:
    """A study on each of 28 days, and supplies without end on them."""
    code = "93351" if number < 28 else "Q9957"
    return {"code": code, "day": number % 28, "units": 1}


def _charge(number: int, line: dict[str, Any], patient: str) -> dict[str, Any]:
    system = CPT if line["code"][0].isdigit() else "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
    year, rest = divmod(line["day"], 336)
    month, day = divmod(rest, 28)
    return {
        "resourceType": "ChargeItem",
        "id": f"line-{number}",
        "status": "billable",
        "code": {"coding": [{"system": system, "code": line["code"]}]},
        "subject": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": f"{2019 + year}-{month + 1:02}-{day + 1:02}",
        "quantity": {"value": line["units"]},
    }


# --- where the calls come from --------------------------------------------------------------------------------------


def _sample(name: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_bytes())
    return request


def _another_matter() -> dict[str, Any]:
    """The call of an order that has nothing to do with an echo, as most orders have not."""
    request = _sample(CORRECT_ORDER)
    order = _first_order(request)
    order["code"] = {"coding": [{"system": CPT, "code": "71046", "display": "Chest X-ray"}], "text": "Chest X-ray"}
    request["context"]["draftOrders"]["entry"] = [{"resource": order}]
    return request


def _order_in_order() -> dict[str, Any]:
    return _sample(CORRECT_ORDER)


def _faulty_order() -> dict[str, Any]:
    """A stress echo with contrast without 93352, and a planned charge for strain that carries 26."""
    request = _sample(FAULTY_ORDER)
    order = _first_order(request)
    charge = Record(request["context"]["patientId"]).charge() | {
        "status": "planned",
        "code": {"coding": [{"system": CPT, "code": "93356"}, {"code": "26"}]},
        "occurrenceDateTime": order.get("occurrenceDateTime", order["authoredOn"]),
    }
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": charge}]}
    request["prefetch"]["chargeItems"] = bundle
    return request


def _first_order(request: dict[str, Any]) -> dict[str, Any]:
    orders = [each["resource"] for each in request["context"]["draftOrders"]["entry"]]
    found: dict[str, Any] = next(each for each in orders if each["resourceType"] == "ServiceRequest")
    return found


def _body(request: dict[str, Any], size: int) -> bytes:
    patient = request["context"]["patientId"]
    return _as_bytes(request | {"prefetch": enlarge(request["prefetch"], patient, size)})


def _as_bytes(request: dict[str, Any]) -> bytes:
    return json.dumps(request, separators=(",", ":")).encode()
