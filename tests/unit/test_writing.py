"""A change that is written into what was sent is read again as the line that it promises, and the rest stays.

The law holds for each form in which a code, its modifiers and its units are understood, with each kind of change.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.chargeitem import ChargeItem
from fhir.resources.R4B.claim import Claim

from cds_service.cdshooks.actions import fhir_actions
from cds_service.core.case import Case, Line
from cds_service.core.changes import AddModifier, LineChange, RemoveModifier, ReplaceCode, SetUnits, changed
from cds_service.core.concepts import BILLING, Code
from cds_service.core.site import Site
from cds_service.fhir.read import read_case
from cds_service.fhir.sources import SourceResource
from tests.support.notation import request_of
from tests.unit.test_billed_claims import BLUE_BUTTON

pytestmark = pytest.mark.repeats(6)

Json = dict[str, Any]

ENCODER = msgspec.json.Encoder(decimal_format="number")
CPT = "http://www.ama-assn.org/go/cpt"
LOCAL = "http://clinic.example/charges"
KEPT = "http://clinic.example/kept"
SITE = Site(mappings={Code(LOCAL, "echo with contrast"): "93352"})


def coded(*codes: str, **more: str) -> Json:
    return {"coding": [{"code": code} | more for code in codes]}


def extension(url: str, **members: Any) -> Json:
    return {"url": f"http://clinic.example/{url}"} | members


def of_both(*values: Any, url: str = "modifier", member: str = "valueCode") -> list[Json]:
    return [extension(url, **{member: value}) for value in values]


PLAIN = coded("93352", system=CPT)

# The forms of a line 93352-26-59 that are understood, by their names. Those of the code are of claims and of charges.
CODES: dict[str, Json] = {
    **{
        f"behind the code: {written}": coded(written, system=CPT)
        for written in (
            "93352-26-59", "93352:26:59", "93352 26 59", "93352/26/59", "93352-26,59", "93352 - 26 59", "93352-2659",
            "HC:93352:26:59", "CPT-93352-26-59", "93352^26^59.",
        )
    },
    "behind a code without a system": coded("93352-26-59"),
    "as further codings": {"coding": [*PLAIN["coding"], {"code": "26"}, {"system": CPT, "code": "59"}]},
    "behind the code and as a coding": {"coding": [{"system": CPT, "code": "93352-26"}, {"code": "59"}]},
    "twice": {"coding": [{"system": CPT, "code": "93352:26"}, {"code": "26"}, {"code": "59"}]},
    "of two systems": {"coding": [{"system": code, "code": "93352-26-59"} for code in ("HCPCS", CPT)]},
    "beside the same code without a system": {"coding": [{"code": "93352"}, {"system": CPT, "code": "93352-26-59"}]},
    "beside a local code": {"coding": [{"system": LOCAL, "code": "7"}, {"system": CPT, "code": "93352-26-59"}]},
    "of a mapped code": {"coding": [{"system": LOCAL, "code": "echo with contrast"}, {"code": "26"}, {"code": "59"}]},
}  # fmt: skip
MODIFIERS: dict[str, list[Json]] = {
    "as codes": [coded("26"), coded("59", system=CPT)],
    "as texts": [{"text": "26"}, {"text": "59"}],
    "as one text": [{"text": "26, 59"}],
    "as one code": [coded("26 59")],
    "as one code of a system": [coded("26-59", system=CPT)],
    "with a hyphen": [coded("-26"), coded("-59")],
    "as two codings of one": [coded("26", "59")],
    "as code and text": [coded("26") | {"text": "26"}, coded("59") | {"text": "distinct"}],
    "as two codes and a text": [coded("26", "59") | {"text": "26 59"}],
    "as displays": [{"coding": [{"display": "26"}]}, {"coding": [{"display": "59"}]}],
    "as rows of a system of modifiers": [coded("26", "59", system="http://clinic.example/modifiers")],
    "as one row of a system of modifiers": [coded("26 59", system="http://clinic.example/modifiers")],
    "beside a local code": [coded("59", "26"), {"coding": [{"system": LOCAL, "code": "PROF"}]}],
    "beside one that is unclear": [coded("26", "professional"), coded("59")],
    "twice": [coded("26"), coded("59"), {"text": "26"}],
}
ROOM = extension("room", valueString="26")
EXTENSIONS: dict[str, list[Json]] = {
    "as codes": of_both("26", "59"),
    "as strings": of_both("26", "59", member="valueString"),
    "as codings": of_both({"code": "26"}, {"code": "59", "system": CPT}, member="valueCoding"),
    "as concepts": of_both(*MODIFIERS["as texts"], member="valueCodeableConcept"),
    "as one code": of_both("26 59"),
    "as one coding": of_both({"code": "26 59", "display": "two"}, member="valueCoding"),
    "as one concept": of_both(coded("26", "59"), member="valueCodeableConcept"),
    "as one concept of one text": of_both({"text": "26,59"}, member="valueCodeableConcept"),
    "below a number with the digits": of_both("26", "59", url="2.16.840.1.26/modifier"),
    "nested": [extension("modifiers", extension=of_both("26", "59"))],
    "nested beside something else": [
        extension("modifiers", extension=[*of_both("26", "59"), {"url": KEPT, "valueBoolean": True}])
    ],
    "nested, each with its place": [
        extension("modifier-code", extension=[*of_both(each), {"url": "priority", "valueUnsignedInt": place}])
        for place, each in enumerate(("26", "59"))
    ],
    "nested twice": [
        extension("modifiers", extension=[extension("a", extension=of_both("26", url="b"))]),
        *of_both("59"),
    ],
    "outside and inside": [extension("modifier", valueCode="26", extension=of_both("59", url="other"))],
}
UNITS: dict[str, Json] = {"quantity": {"value": 3}}


def charge(**members: Any) -> Json:
    of_all = {"resourceType": "ChargeItem", "id": "1", "status": "billable", "subject": {"reference": "Patient/p1"}}
    kept = {"note": [{"text": "26"}], "extension": [*members.pop("extension", ()), ROOM]}
    return dict(json.loads(json.dumps(of_all | kept | UNITS | members)))


def claim(**members: Any) -> Json:
    """A claim with such a line between two others."""
    whole: Json = request_of({"professional": "93351, 93352, Q9957-26"})["context"]["draftCharges"]["entry"][0][
        "resource"
    ]
    kept = {"sequence": 2, "unitPrice": {"value": 1.5}, "extension": [*members.pop("extension", ()), ROOM]}
    whole["item"][1] = kept | UNITS | members
    return dict(json.loads(json.dumps(whole)))


SENT: dict[str, Json] = {
    **{f"charge, {name}": charge(code=code) for name, code in CODES.items()},
    **{f"charge, extensions {name}": charge(code=PLAIN, extension=each) for name, each in EXTENSIONS.items()},
    "charge, code in words": charge(code={"text": "93352, contrast"}, extension=EXTENSIONS["as codes"]),
    **{f"claim, {name}": claim(productOrService=code) for name, code in CODES.items()},
    **{f"claim, modifiers {name}": claim(productOrService=PLAIN, modifier=each) for name, each in MODIFIERS.items()},
    "claim, code in words": claim(productOrService={"text": "CPT 93352"}, modifier=MODIFIERS["as texts"]),
    "claim, code and modifiers": claim(productOrService=coded("93352-26", system=CPT), modifier=MODIFIERS["twice"]),
}


def line_of(resource: Json) -> tuple[Line, dict[str, msgspec.Raw]]:
    """The line 93352, or what became of it, and all that was sent."""
    raw = msgspec.Raw(ENCODER.encode(resource))
    lines = [*read_case([SourceResource("here", raw)], stage="claim", site=SITE).case.lines]
    return lines[len(lines) // 2], {"here": raw}


def written(resource: Json, *kinds: tuple[Any, ...]) -> tuple[Line, Json]:
    """The line that changes promise, and the resource with the changes."""
    line, raw = line_of(resource)
    changes: list[LineChange] = [kind(line, *values) for kind, *values in kinds]
    promised = line
    for change in changes:
        promised = changed(promised, change)
    (action,) = fhir_actions(changes, Case(stage="claim", site=SITE), raw)
    return promised, dict(json.loads(ENCODER.encode(action.resource)))


def charged(line: Line) -> tuple[Any, ...]:
    """The facts of a line that changes speak of."""
    return line.code, set(line.modifiers), line.unclear_modifiers, line.units, line.units_unclear


def rest_of(resource: Json) -> Json:
    """A resource without what states code, modifiers and units of its line."""
    (item,) = [resource["item"][1]] if "item" in resource else [resource]
    stating = {"code", "productOrService", "modifier", "quantity", "extension"}
    left = {member: value for member, value in item.items() if member not in stating}
    return resource | {"item": [resource["item"][0], left, resource["item"][2]]} if "item" in resource else left


def marks_in(value: Any) -> Iterator[str]:
    """The parts of a line that are no code of it, no modifier and no units, wherever they are."""
    if isinstance(value, list):
        for each in value:
            yield from marks_in(each)
    elif isinstance(value, dict):
        if value.get("code") in ("7", "professional", "PROF") or value.get("url") in (KEPT, ROOM["url"]):
            yield json.dumps(value)
        yield from marks_in([*value.values()])


KINDS: list[tuple[tuple[Any, ...], ...]] = [
    ((ReplaceCode, "93356"),),
    ((ReplaceCode, "C8928"),),
    ((RemoveModifier, "26"),),
    ((RemoveModifier, "59"),),
    ((RemoveModifier, "26"), (RemoveModifier, "59")),
    ((AddModifier, "XS"),),
    ((SetUnits, Decimal(2)),),
    ((RemoveModifier, "26"), (AddModifier, "XS"), (ReplaceCode, "93356"), (SetUnits, Decimal(2))),
]


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: ", ".join(f"{each[0].__name__} {each[1]}" for each in kinds))
@pytest.mark.parametrize("name", SENT)
def test_what_is_written_is_read_as_promised_and_the_rest_stays(name: str, kinds: tuple[tuple[Any, ...], ...]) -> None:
    sent = SENT[name]
    line, _ = line_of(sent)
    assert (line.code, set(line.modifiers), line.units) == ("93352", {"26", "59"}, Decimal(3))
    promised, after = written(sent, *kinds)
    assert charged(line_of(after)[0]) == charged(promised)
    assert rest_of(after) == rest_of(sent)
    assert sorted(marks_in(after)) == sorted(marks_in(sent))
    model = ChargeItem if after["resourceType"] == "ChargeItem" else Claim
    model.model_validate(after)


def cms(member: str, value: Any, name: str = "rev_cntr_unit_cnt") -> Json:
    return {"url": f"{BLUE_BUTTON}/{name}", member: value}


NUMBERS = ("valueInteger", "valueUnsignedInt", "valuePositiveInt", "valueDecimal")
OF_CLAIMS: dict[str, Json] = {
    **{f"{member} of CMS": {"extension": [cms(member, 3)]} for member in NUMBERS},
    "a quantity of CMS": {"extension": [cms("valueQuantity", {"value": 3, "unit": "UN"})]},
    "a number of CMS in place of a quantity": {"extension": [cms("valueDecimal", 3, "line_srvc_cnt")]},
}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"quantity": {"value": 3}},
        *({"quantity": {"value": 3, "unit": unit}} for unit in ("UN", "mL", "vial", "uL", "L", "mg")),
        {"quantity": {"unit": "uL"}},
        {"quantity": {"value": 1300, "unit": "uL", "system": "http://unitsofmeasure.org", "code": "uL"}},
    ],
    ids=str,
)
def test_units_are_written_without_a_unit_that_is_not_theirs(members: Json) -> None:
    for sent in (charge(code=PLAIN), claim(productOrService=PLAIN)):
        holder = sent["item"][1] if "item" in sent else sent
        del holder["quantity"]
        holder |= members
        promised, after = written(sent, (SetUnits, Decimal(2)))
        again, _ = line_of(after)
        assert charged(again) == charged(promised)
        assert (again.units, again.units_unclear) == (Decimal(2), False)
        assert rest_of(after) == rest_of(sent)
        quantity = (after["item"][1] if "item" in after else after)["quantity"]
        fitting = members.get("quantity", {}).get("unit") in {"UN", "mL"}
        assert quantity == ({**members["quantity"], "value": 2} if fitting else {"value": 2})


@pytest.mark.parametrize("name", OF_CLAIMS)
@pytest.mark.parametrize("quantity", [{}, {"quantity": {"value": 77, "unit": "mL"}}], ids=["none", "of the drug"])
def test_units_are_written_where_they_were_read(name: str, quantity: Json) -> None:
    sent = claim(productOrService=PLAIN, **OF_CLAIMS[name])
    del sent["item"][1]["quantity"]
    sent["item"][1] |= quantity
    promised, after = written(sent, (SetUnits, Decimal(2)))
    again, _ = line_of(after)
    assert charged(again) == charged(promised)
    is_of_drug = line_of(sent)[0].units == 3
    assert is_of_drug == (not quantity or "in place" not in name)
    expected = quantity if is_of_drug else {"quantity": {"value": 2, "unit": "mL"}}
    assert after["item"][1].get("quantity") == expected.get("quantity")


def test_units_that_are_stated_twice_are_written_twice() -> None:
    sent = claim(productOrService=PLAIN, extension=[cms("valueDecimal", 3, "line_srvc_cnt")])
    _, after = written(sent, (SetUnits, Decimal(2)))
    assert after["item"][1]["quantity"] == {"value": 2}
    assert after["item"][1]["extension"][0]["valueDecimal"] == 2


@pytest.mark.parametrize("number", [1e9, 7])
def test_another_number_in_an_extension_stays_as_it_was_sent(number: float) -> None:
    sent = claim(productOrService=PLAIN, extension=[cms("valueDecimal", number, "line_srvc_cnt")])
    promised, after = written(sent, (SetUnits, Decimal(2)))
    assert charged(line_of(after)[0]) == charged(promised)
    assert after["item"][1]["extension"][0]["valueDecimal"] == number


def test_what_would_not_take_effect_is_not_suggested() -> None:
    in_extension = [extension("procedure-code", valueCodeableConcept=coded("93352-26-59", system=CPT))]
    line, raw = line_of(charge(code={"coding": [{"system": LOCAL, "code": "7"}]}, extension=in_extension))
    assert line.modifiers == ("26", "59")
    case = Case(stage="claim")
    assert fhir_actions([RemoveModifier(line, "26")], case, raw) == ()
    assert fhir_actions([AddModifier(line, "XS")], case, raw)
    line, raw = line_of(charge(extension=in_extension))
    assert fhir_actions([AddModifier(line, "XS")], case, raw)
    line, raw = line_of(charge(code=PLAIN))
    assert fhir_actions([SetUnits(line, Decimal(100_000))], case, raw)
    assert fhir_actions([SetUnits(line, Decimal(100_001))], case, raw) == ()
    line, raw = line_of(claim(productOrService=PLAIN, extension=[cms("valueInteger", 3)]))
    assert fhir_actions([SetUnits(line, Decimal("2.5"))], case, raw) == ()


def test_what_the_site_maps_to_the_old_code_goes_with_it() -> None:
    _, after = written(charge(code=CODES["of a mapped code"]), (ReplaceCode, "93356"))
    assert after["code"] == {"coding": [{"system": CPT, "code": "93356"}, {"code": "26"}, {"code": "59"}]}
    line, _ = line_of(after)
    assert line.concept.values(BILLING) == ("93356",)


@pytest.mark.parametrize(
    ("name", "of_26", "of_59"),
    [
        (
            "nested",
            [extension("modifiers", extension=of_both("59"))],
            [extension("modifiers", extension=of_both("26"))],
        ),
        (
            "below a number with the digits",
            of_both("59", url="2.16.840.1.26/modifier"),
            of_both("26", url="2.16.840.1.26/modifier"),
        ),
        (
            "nested, each with its place",
            EXTENSIONS["nested, each with its place"][1:],
            EXTENSIONS["nested, each with its place"][:1],
        ),
        ("as one code", of_both("59"), of_both("26")),
    ],
)
def test_a_modifier_leaves_an_extension_with_its_place_and_without_its_neighbors(
    name: str, of_26: list[Json], of_59: list[Json]
) -> None:
    sent = charge(code=PLAIN, extension=EXTENSIONS[name])
    for modifier, left in (("26", of_26), ("59", of_59)):
        _, after = written(sent, (RemoveModifier, modifier))
        assert after["extension"] == [*left, ROOM]
