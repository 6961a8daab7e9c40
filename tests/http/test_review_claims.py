"""`POST /review` with a file of claims: as the body, or as the one file of a form."""

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.review.claim_files import RECORD_DECLARED_EMPTY, WITHOUT_RECORD
from cds_service.settings import Settings
from tests.http.test_review import as_bundle
from tests.support.edi import EdiClaim, EdiLine, edi, lines
from tests.support.notation import request_of
from tests.support.running import running

EDI = {"Content-Type": "application/edi-x12"}
MISSING = EdiClaim("MISSING", lines("93351, Q9957x2-JZ"), member="M1")
RIGHT = EdiClaim("RIGHT", lines("93350, 93352, Q9957x2-JZ"), member="M2")
OFFICE = EdiClaim("OFFICE", lines("99213"), member="M3")
BROKEN = EdiClaim("BROKEN", (EdiLine("93350", charge="a hundred"),), total="100", member="M4")
VOID = EdiClaim("VOID", lines("93350"), frequency="8", member="M5")
FILE = edi(MISSING, RIGHT, OFFICE, BROKEN, VOID)


def sent(server: str, body: Any, query: str = "", headers: dict[str, str] | None = None) -> requests.Response:
    return requests.post(f"{server}/review{query}", data=body, headers=EDI if headers is None else headers, timeout=60)


def test_each_claim_has_a_report_and_what_is_set_aside_a_reason(server: str) -> None:
    response = sent(server, FILE)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    answer = response.json()
    assert answer["note"] == WITHOUT_RECORD
    assert [each["claim"] for each in answer["claims"]] == ["MISSING", "RIGHT", "OFFICE"]
    assert [len(each["findings"]) for each in answer["claims"]] == [1, 0, 0]
    assert [each["empty"] for each in answer["claims"]] == [False, False, True]
    assert answer["setAside"] == [
        {
            "claim": "BROKEN",
            "location": "ST*0201 segment 66 (SV1)",
            "reason": "SV102: expected a number",
            "fault": True,
        },
        {
            "claim": "VOID",
            "location": "ST*0201 segment 75 (CLM)",
            "reason": "CLM05-3 is 8: it voids an earlier claim and charges nothing",
            "fault": False,
        },
    ]


def test_findings_name_segments_in_place_of_fhir(server: str) -> None:
    (found,) = sent(server, FILE).json()["claims"][0]["findings"]
    assert found["rule"] == "contrast-add-on-missing"
    assert [each["location"] for each in found["evidence"]] == ["ST*0201 segment 21 (SV1)", "ST*0201 segment 24 (SV1)"]
    (fix,) = found["remedies"]
    assert fix["actions"] == []
    assert fix["segments"] == [
        "add 93352: ST*0201, LX*3, SV1 and DTP after segment 25",
        "then adjust CLM02 (ST*0201 segment 18) and SE01",
    ]


def test_a_claim_is_judged_as_its_bundle_is(server: str) -> None:
    bundle = as_bundle(request_of({"professional": "93351, Q9957x2-JZ", "place": "11", "payer": "Medicare"}))
    of_bundle = requests.post(f"{server}/review?stage=claim", json=bundle, timeout=30).json()
    of_claim = sent(server, edi(MISSING)).json()["claims"][0]
    for part in ("findings", "notChecked", "passed"):
        assert sorted(each["rule"] for each in of_claim[part]) == sorted(each["rule"] for each in of_bundle[part])
    assert of_claim["findings"][0]["summary"] == of_bundle["findings"][0]["summary"]


def in_form(*parts: tuple[str, bytes, str]) -> tuple[bytes, dict[str, str]]:
    """A form of parts: name with or without a file name, content, and type."""
    boundary = uuid.UUID(int=7).hex
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content, kind in parts
    )
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@pytest.mark.parametrize("kind", ["application/edi-x12", "application/octet-stream", "text/plain"])
def test_a_form_with_one_file_is_the_same(server: str, kind: str) -> None:
    whole = sent(server, FILE).json()
    body, headers = in_form(
        ('name="comment"', b"our claims", "text/plain"), ('name="file"; filename="claims.837"', FILE, kind)
    )
    assert sent(server, body, headers=headers).json() == whole
    body, headers = in_form(('name="claims"', FILE, kind))
    assert sent(server, body, headers=headers).json() == whole
    by_library = requests.post(f"{server}/review", files={"file": ("a.edi", FILE)}, timeout=60)
    assert by_library.json() == whole


def test_gzip_and_the_type_in_capitals(server: str) -> None:
    headers = {"Content-Type": "application/EDI-X12", "Content-Encoding": "gzip"}
    assert sent(server, gzip.compress(FILE), headers=headers).json() == sent(server, FILE).json()


FORM = in_form(('name="file"; filename="a"', b"{}", "application/json"))
TWO_FILES = in_form(*(('name="file"; filename="a"', FILE, "application/edi-x12") for _ in range(2)))
MANY_PARTS = in_form(*((f'name="n{number}"', b"x", "text/plain") for number in range(50)))


@pytest.mark.parametrize(
    ("body", "headers", "query", "expected"),
    [
        (b"", EDI, "", "the body: expected an X12 file, which begins with ISA"),
        (b"{}", EDI, "", "the body: expected an X12 file, which begins with ISA"),
        (FILE.replace(b"ST*837*", b"ST*835*"), EDI, "", "found an 835 (remittance advice)"),
        (FILE.replace(b"005010X222A1", b"005010X224A2"), EDI, "", "found an 837D (dental claims)"),
        (FILE, EDI, "?stage=never", "`stage`: expected order or claim"),
        (FILE, EDI, "?complete=Nothing", "`complete`: expected resource types"),
        (FORM[0], FORM[1], "", "the body: expected a form with one X12 837 file"),
        (TWO_FILES[0], TWO_FILES[1], "", "the body: expected a form with one X12 837 file"),
        (MANY_PARTS[0], MANY_PARTS[1], "", "the body: expected multipart/form-data"),
        (FILE, {"Content-Type": "multipart/form-data"}, "", "the body: expected multipart/form-data"),
        (b"--x\r\nhello", {"Content-Type": "multipart/form-data; boundary=x"}, "", "the body: expected"),
    ],
    ids=range(11),
)
def test_what_is_no_file_of_claims_is_refused_in_one_line(
    server: str, body: bytes, headers: dict[str, str], query: str, expected: str
) -> None:
    response = sent(server, body, query, headers)
    (issue,) = response.json()["issue"]
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/fhir+json")
    assert expected in issue["diagnostics"]
    assert "PAT" not in issue["diagnostics"]


def test_another_type_names_all_that_are_taken(server: str) -> None:
    response = sent(server, FILE, headers={"Content-Type": "text/plain"})
    assert response.status_code == 415
    (issue,) = response.json()["issue"]
    assert issue["diagnostics"] == (
        "expected a body of type application/json, application/fhir+json, application/edi-x12 or multipart/form-data"
    )


def test_stage_and_complete_are_those_of_a_bundle(server: str) -> None:
    answer = sent(server, edi(RIGHT), "?stage=order&complete=MedicationAdministration").json()
    assert answer["note"] == RECORD_DECLARED_EMPTY
    bundle = as_bundle(request_of({"professional": "93350, 93352, Q9957x2-JZ", "place": "11", "payer": "Medicare"}))
    url = f"{server}/review?stage=order&complete=MedicationAdministration"
    of_bundle = requests.post(url, json=bundle, timeout=30).json()
    parts = ("findings", "passed", "notChecked")
    mine, theirs = (
        [sorted(found["rule"] for found in each[part]) for part in parts] for each in (answer["claims"][0], of_bundle)
    )
    assert mine == theirs


def test_claims_may_be_declared_complete(server: str) -> None:
    alone = edi(EdiClaim("ALONE", lines("93352, Q9957x2-JZ")))
    known = sent(server, alone, "?complete=Claim,Coverage").json()["claims"][0]
    assert {each["rule"] for each in known["findings"]} == {"add-on-without-primary"}


def test_the_limits_of_bodies_hold(tmp_path: Path) -> None:
    with running(tmp_path, 1, CDS_MAX_BODY_BYTES="20000", CDS_MAX_ENTRIES="100") as service:
        assert sent(service.address, FILE).status_code == 200
        assert sent(service.address, FILE + b" " * 20000).status_code == 413
        form, headers = in_form(('name="file"; filename="a"', FILE + b" " * 20000, "text/plain"))
        assert sent(service.address, form, headers=headers).status_code == 413
        bomb = gzip.compress(FILE + b" " * 10_000_000)
        assert sent(service.address, bomb, headers=EDI | {"Content-Encoding": "gzip"}).status_code == 413
        short = EdiLine("99213", day="", pointers=())
        claims = [EdiClaim(f"C{number}", (short,), diagnoses=()) for number in range(101)]
        answer = sent(service.address, edi(*claims))
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (413, "too-long")
        many = EdiClaim("MANY", (short,) * 101)
        (aside,) = sent(service.address, edi(many)).json()["setAside"]
        assert (aside["claim"], aside["reason"]) == ("MANY", "a list in the body has more than 100 elements")


def test_the_log_has_one_line_of_counts_and_nothing_of_patients(tmp_path: Path) -> None:
    with running(tmp_path, 1) as service:
        sent(service.address, FILE)
        sent(service.address, FILE.replace(b"HC:93351", b"HC"))
        sent(service.address, b"ISA*PAT*TEST")
        metrics = requests.get(f"{service.address}/metrics", timeout=10).text
        log = service.log.read_text()
    lines_of_log = [json.loads(each) for each in log.splitlines() if each.startswith("{")]
    calls = [each for each in lines_of_log if each.get("event") == "call"]
    assert [each["service"] for each in calls] == ["review", "review"]
    assert calls[0]["findings"] == {"contrast-add-on-missing": 1}
    assert calls[0]["left_out"] >= 2
    for value in ("MISSING", "BROKEN", "TEST", "M1", "1950", "MEDICARE", "a hundred"):
        assert value not in log
        assert f'"{value}' not in metrics


def test_the_document_describes_both_bodies_and_answers() -> None:
    from cds_service.app import create_app  # noqa: PLC0415

    document = create_app(Settings()).test_client().get("/openapi.json").get_json()
    operation = document["paths"]["/review"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "application/json", "application/edi-x12", "multipart/form-data"
    }  # fmt: skip
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert {each["$ref"].rsplit("/")[-1] for each in schema["anyOf"]} == {"Report", "ClaimFileReport"}
    report = document["components"]["schemas"]["ClaimFileReport"]
    assert report["required"] == ["note", "claims", "setAside"]
