"""`cds-service site suggest`: codes in a site's records that are not understood, and lines for its file."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import hooks
from cds_service.cli.main import main
from cds_service.core.site import Site
from cds_service.onboarding.stanza import PLACEHOLDER
from cds_service.review.site_file import load_site
from hooks.publish.candidates import candidates
from tests.conftest import SAMPLES
from tests.support.notation import request_of

CDM = "https://ehr.example.org/chargemaster"
CPT = "http://www.ama-assn.org/go/cpt"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
PATIENT = {"reference": "Patient/1"}


def charge(number: int, *codings: dict[str, str], **more: Any) -> dict[str, Any]:
    code = {"coding": list(codings)} if codings else {}
    return {
        "resourceType": "ChargeItem",
        "id": f"c{number}",
        "status": "billable",
        "subject": PATIENT,
        "code": code,
    } | more


def coding(code: str, display: str = "", system: str = CDM) -> dict[str, str]:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def given(number: int, **more: Any) -> dict[str, Any]:
    base = {"resourceType": "MedicationAdministration", "id": f"m{number}", "status": "completed", "subject": PATIENT}
    return base | {"effectiveDateTime": "2026-03-02"} | more


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}


def saved(folder: Path, name: str, *documents: object) -> Path:
    """A file with a document, or with one on each line; gzip by its ending."""
    text = "\n".join(json.dumps(each) for each in documents).encode()
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def suggest(*paths: Path | str, site: Path | None = None) -> Result:
    environment = {"CDS_SITE_FILE": str(site) if site else None}
    return CliRunner().invoke(main, ["site", "suggest", *map(str, paths)], env=environment)


def listed(*paths: Path | str, site: Path | None = None) -> list[tuple[str, str, str, str, int]]:
    result = suggest(*paths, "--json", site=site)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["notUnderstood"]
    return [(each["kind"], each["system"], each["code"], each["display"], each["count"]) for each in found]


def decided(stanza: str) -> str:
    """The stanza with the first candidate of each code uncommented."""
    lines, is_open = [], False
    for line in stanza.splitlines():
        if line.startswith("  # - {system") and "to:" in line:
            lines.append(line.replace("# ", "", 1) if is_open else line)
            is_open = False
        else:
            lines.append(line)
            is_open = "decide yourself" in line
    return "\n".join(lines)


STRESS = coding("615215", "STRESS ECHO W CONTRAST")
AGENT = coding("700", "DEFINITY PER ML")


# --- the list -------------------------------------------------------------------------------------------------------


def test_codes_are_listed_most_frequent_first_with_their_displays(tmp_path: Path) -> None:
    everything = bundle(
        charge(1, AGENT),
        charge(2, STRESS),
        charge(3, coding("615215")),
        given(1, medicationCodeableConcept={"coding": [coding("1", "", RXNORM)]}),
        {"resourceType": "Procedure", "id": "p1", "status": "completed", "subject": PATIENT}
        | {"code": {"coding": [STRESS]}},
        {"resourceType": "Procedure", "id": "p2", "status": "completed", "subject": PATIENT}
        | {"code": {"coding": [coding("93350", "", CPT)]}}
        | {"usedCode": [{"coding": [coding("KIT", "ECHO SUPPLY KIT")]}]},
        {"resourceType": "ServiceRequest", "id": "s1", "status": "draft", "intent": "order", "subject": PATIENT}
        | {"code": {"coding": [coding("ORD1", "ECHO STRESS TEST")]}},
    )
    assert listed(saved(tmp_path, "sample.json", everything)) == [
        ("charge", CDM, "615215", "STRESS ECHO W CONTRAST", 2),
        ("charge", CDM, "700", "DEFINITY PER ML", 1),
        ("drug", "rxnorm", "1", "", 1),
        ("material", CDM, "KIT", "ECHO SUPPLY KIT", 1),
        ("order", CDM, "ORD1", "ECHO STRESS TEST", 1),
        ("procedure", CDM, "615215", "STRESS ECHO W CONTRAST", 1),
    ]


def test_requests_bundles_resources_and_exports_are_read(tmp_path: Path) -> None:
    request = request_of({"lines": "93350, Q9957x2"})
    text = json.dumps(request).replace(f'"system": "{CPT}", "code": "93350"', f'"system": "{CDM}", "code": "615215"')
    (tmp_path / "request.json").write_text(text)
    saved(tmp_path, "one.json", charge(1, STRESS))
    saved(tmp_path, "export/ChargeItem.ndjson", *(charge(number, STRESS) for number in range(1200)))
    saved(tmp_path, "export/more/ChargeItem.ndjson.gz", charge(2000, STRESS), charge(2001, AGENT))
    saved(tmp_path, "export/job-7.ndjson", {"exportId": "x", "eventId": "kickoff"})
    saved(tmp_path, "export/manifest.json", {"output": []})
    saved(tmp_path, "export/part.gz", charge(2002, STRESS), charge(2003, STRESS)).rename(tmp_path / "export" / "part-1")
    zipped = saved(tmp_path, "zipped.gz", charge(3000, STRESS), charge(3001, STRESS))
    zipped.rename(tmp_path / "plain")
    saved(tmp_path, "gateway.ndjson", bundle(charge(4000, STRESS)), json.loads(text))
    (tmp_path / "bom.json").write_text(json.dumps(bundle(charge(1, STRESS))), encoding="utf-8-sig")
    found = listed(
        *(tmp_path / name for name in ("request.json", "one.json", "export", "plain", "bom.json", "gateway.ndjson"))
    )
    assert [each[2:] for each in found] == [
        ("615215", "STRESS ECHO W CONTRAST", 1 + 1 + 1200 + 1 + 2 + 2 + 1 + 2),
        ("700", "DEFINITY PER ML", 1),
    ]


def test_a_file_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    path = saved(tmp_path, "export/a.ndjson", charge(1, STRESS))
    (tmp_path / "export" / "link.ndjson").symlink_to(path)
    (tmp_path / "export" / "hard.ndjson").hardlink_to(path)
    assert [each[4] for each in listed(tmp_path / "export", path)] == [1]


def test_resources_of_the_export_count_as_sent(tmp_path: Path) -> None:
    lipid = {"coding": [coding("000", "", "urn:x")], "text": "perflutren lipid microspheres"}
    saved(
        tmp_path,
        "MedicationAdministration.ndjson",
        given(1, medicationReference={"reference": "Medication/1"}),
        given(2, medicationReference={"reference": "https://ehr.example.org/fhir/Medication/2"}),
        given(3, medicationReference={"reference": "Medication/none"}),
    )
    saved(
        tmp_path,
        "Z-Medication.ndjson",
        {"resourceType": "Medication", "id": "1", "code": lipid},
        {"resourceType": "Medication", "id": "2", "code": {"coding": [coding("M2", "CONTRAST AGENT ECHO")]}},
    )
    claim = {"resourceType": "Claim", "id": "k", "status": "active", "use": "claim", "patient": PATIENT}
    claim |= {"type": {"coding": [coding("professional", "", "http://terminology.hl7.org/CodeSystem/claim-type")]}}
    item = {"sequence": 1, "productOrService": {"coding": [coding("93350", "", CPT)]}, "servicedDate": "2026-03-02"}
    insured = [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/7"}}]
    saved(tmp_path, "Claim.ndjson", claim | {"item": [item], "insurance": insured})
    payor = [{"display": "Medicare"}]
    coverage = {"resourceType": "Coverage", "id": "7", "status": "active", "beneficiary": PATIENT, "payor": payor}
    saved(tmp_path, "Coverage.ndjson", coverage)
    assert listed(tmp_path) == [("drug", CDM, "M2", "CONTRAST AGENT ECHO", 1), ("drug", "reference", "", "", 1)]
    (tmp_path / "Coverage.ndjson").unlink()
    assert ("payer", "reference", "", "", 1) in listed(tmp_path)


def test_free_text_references_and_identifiers_are_counted_and_never_shown(tmp_path: Path) -> None:
    text = {"text": "Zyzzyva had an echo"}
    coverage = {"reference": "", "identifier": {"system": "urn:members", "value": "Zyzzyva-1"}}
    item = {"sequence": 1, "productOrService": text, "modifier": [{"text": "Zyzzyva 99"}], "servicedDate": "2026-03-02"}
    everything = bundle(
        charge(1) | {"code": text},
        charge(2, coding("X9")) | {"code": {"coding": [coding("X9")]} | text},
        charge(3, coding("Zyzzyva Smith", "", "")),
        charge(4, coding("1", "Zyzzyva", "Zyzzyva Smith")),
        given(1, medicationReference={"reference": "Medication/Zyzzyva", "display": "Zyzzyva"}),
        {"resourceType": "Claim", "id": "k", "status": "active", "use": "claim", "patient": PATIENT}
        | {"item": [item], "insurance": [{"sequence": 1, "focal": True, "coverage": coverage}]},
    )
    path = saved(tmp_path, "sample.json", everything)
    for result in (suggest(path), suggest(path, "--json")):
        assert result.exit_code == 0
        assert "zyzzyva" not in result.output.lower()
    assert "4  charge         a text without a code, or no code" in suggest(path).stdout


def test_everything_understood_is_one_line() -> None:
    result = suggest(*SAMPLES[:5])
    assert result.exit_code == 0
    assert result.output.startswith("Everything was understood: ")
    assert result.output.count("\n") == 1


def test_a_hint_on_the_time_zone_is_given_where_instants_are_in_utc(tmp_path: Path) -> None:
    at = "2026-03-03T01:30:00Z"
    path = saved(tmp_path, "a.json", charge(1, coding("93350", "", CPT), occurrenceDateTime=at))
    result = suggest(path)
    assert "# 1 record with an instant in UTC before noon" in result.stdout
    assert "\n# time_zone: America/Chicago\n" in result.stdout
    site = tmp_path / "site.yaml"
    site.write_text("time_zone: America/Chicago\n")
    assert suggest(path, site=site).stdout.startswith("Everything was understood: 1 of 1")


# --- the stanza -----------------------------------------------------------------------------------------------------


def test_pasted_without_a_decision_it_does_nothing_and_decided_it_maps(tmp_path: Path) -> None:
    odd = coding('A"\\#: 1', "LINE\nBREAK \u2028 {to: x} # ECHO")
    drug = given(1, medicationCodeableConcept={"coding": [AGENT]})
    everything = bundle(charge(1, STRESS), charge(2, odd), charge(3, AGENT), drug, charge(4, coding("B", "ECHO", "")))
    everything["entry"].append({"resource": charge(5, coding("ECHO", "STRESS", CPT))})
    path = saved(tmp_path, "sample.json", everything)
    stanza = suggest(path).stdout
    site = tmp_path / "site.yaml"
    site.write_text(stanza)
    assert load_site(site, hooks.vocabulary()) == Site()
    site.write_text(decided(stanza))
    mapped = load_site(site, hooks.vocabulary()).mappings
    assert sorted(code.value for code in mapped) == ["615215", "700", 'A"\\#: 1', "B", "ECHO"]
    assert suggest(path, site=site).output.startswith("Everything was understood: 6 of 6")


def test_a_code_is_mapped_once_and_codes_with_candidates_come_first(tmp_path: Path) -> None:
    done = {"resourceType": "Procedure", "id": "p", "status": "completed", "subject": PATIENT}
    rooms = [charge(number, coding("ROOM", "ROOM AND BOARD")) for number in range(9)]
    path = saved(tmp_path, "a.json", bundle(*rooms, charge(10, STRESS), done | {"code": {"coding": [STRESS]}}))
    lines = [each for each in suggest(path).stdout.splitlines() if "decide yourself" in each]
    assert lines == [
        "  # 615215, STRESS ECHO W CONTRAST (charge 1, procedure 1): decide yourself",
        "  # ROOM, ROOM AND BOARD (charge 9): decide yourself",
    ]


def test_a_code_without_a_candidate_cannot_be_mapped_without_a_decision(tmp_path: Path) -> None:
    stanza = suggest(saved(tmp_path, "a.json", charge(1, coding("1", "COLONOSCOPY, COMPLETE")))).stdout
    assert f'to: "{PLACEHOLDER}"' in stanza
    site = tmp_path / "site.yaml"
    site.write_text(decided(stanza))
    result = suggest(tmp_path / "a.json", site=site)
    assert result.exit_code == 2
    assert f"`{PLACEHOLDER}` is not a code in scope" in result.stderr


def test_a_system_that_is_all_mapped_is_not_listed_again(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.json", bundle(charge(1, STRESS), charge(2, coding("2", "ROOM"))))
    stanza = suggest(path).stdout
    (line,) = [each for each in stanza.splitlines() if "all_mapped: false" in each]
    assert line == f'  # - {{system: "{CDM}", all_mapped: false}}'
    site = tmp_path / "site.yaml"
    site.write_text(stanza.replace(line, line.replace("# ", "").replace("false", "true")))
    assert suggest(path, site=site).output.startswith("Everything was understood")


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b"not json", "a.json: expected a FHIR resource, a Bundle or a CDS Hooks request in JSON"),
        ("a.json", b"[]", "a.json: expected a FHIR resource"),
        ("a.json", b'{"name": "Zyzzyva"}', "a.json: expected a FHIR resource"),
        ("a.json", '{"hook": "é"}'.encode("latin-1"), "a.json: expected JSON in UTF-8, found another encoding"),
        ("a.json.gz", b"\x1f\x8bZyzzyva", "a.json.gz: the file is corrupt"),
        ("a.ndjson", b'{"resourceType": "Patient"}\n\n{"Zyzzyva', "a.ndjson: line 3: expected a FHIR resource in JSON"),
        (
            "a.ndjson.gz",
            gzip.compress(b'{"resourceType": "Patient"}\n', mtime=0)[:-9],
            "the gzip file is corrupt or truncated",
        ),
        ("a.ndjson.gz", b"Zyzzyva", "a.ndjson.gz: line 1: expected a FHIR resource in JSON"),
        ("a.json.gz", gzip.compress(b"{}" * 99, mtime=0)[:-9], "a.json.gz: the file is corrupt"),
        ("a.json", b'{"resourceType": 1}', "a.json: expected a FHIR resource"),
        ("a.ndjson", b'{"hook": 1}', "a.ndjson: line 1: expected a FHIR resource in JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_plain_line(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    result = suggest(tmp_path / name)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Zyzzyva" not in result.output


def test_many_faults_are_counted_and_what_can_be_read_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text("\n".join(["{"] * 50 + [json.dumps(charge(1, STRESS))]))
    result = suggest(path)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "and 30 more that could not be read"
    assert "615215" in result.stdout


def test_a_resource_that_cannot_be_parsed_is_counted(tmp_path: Path) -> None:
    result = suggest(saved(tmp_path, "a.json", charge(1, STRESS, quantity="Zyzzyva")))
    assert "not parsed: ChargeItem: " in result.stderr
    assert "Zyzzyva" not in result.output


@pytest.mark.parametrize("names", [("none.json",), ("empty",), ("empty.json",), ("empty.ndjson",)])
def test_nothing_read_is_said(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    saved(tmp_path, "empty.json", bundle())
    saved(tmp_path, "empty.ndjson")
    result = suggest(*(tmp_path / name for name in names))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert names[0] in result.stderr


def test_resources_that_no_rule_reads_are_said(tmp_path: Path) -> None:
    resources = {"resourceType": "Appointment", "status": "booked"}, {"resourceType": "Patient", "id": "1"}
    result = suggest(saved(tmp_path, "a.json", bundle(*resources)))
    assert result.exit_code == 0
    assert result.output == "None of 2 resources is a charge, an order, a procedure or a drug given.\n"


# --- candidates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "display", "expected"),
    [
        ("charge", "STRESS ECHO W CONTRAST", {"93350", "93351", "93352"}),
        ("procedure", "Echocardiography, exercise stress", {"93350", "93351"}),
        ("charge", "DSE COMPLETE", {"93350", "93351"}),
        ("charge", "HC TTE LIMITED", {"93308"}),
        ("drug", "DEFINITY 1.5ML VIAL", {"Q9957"}),
        ("material", "sulfur hexafluoride", {"Q9950"}),
        ("material", "ECHO CONTRAST", {"Q9956", "A9700"}),
    ],
)
def test_candidates_share_the_words_of_a_display(kind: str, display: str, expected: set[str]) -> None:
    assert expected <= set(candidates(kind, display))


def test_drugs_have_supply_codes_only_and_most_displays_have_none() -> None:
    assert {code[0] for code in candidates("drug", "CONTRAST FOR STRESS ECHO")} == {"A", "Q"}
    for display in ("METOPROLOL 25 MG", "COLONOSCOPY, COMPLETE", "ROOM AND BOARD", "615215", ""):
        assert candidates("charge", display) == {}
