"""`POST /claim` with a case in words: understood, asked, and proposed only once it is confirmed."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests

from cds_service.ask.cases import LONGEST_DESCRIPTION
from tests.http.test_claim import answer_to, as_reviewed, post

WORDS = "65 M, treadmill stress echo, continuous ECG, I supervised and read it, Definity 1.3 mL, my office, Medicare"
DATED = f"{WORDS}, 11/03/2026"


def test_what_is_not_said_is_asked(server: str) -> None:
    answer = answer_to(server, {"words": WORDS, "confirmed": True})
    assert {*answer} == {"words", "understood", "not_understood", "asked", "notes"}
    (question,) = answer["asked"]
    assert question["id"] == "day"
    assert question["question"] == "When was it done?"
    assert question["answers"] == [
        {"label": "Enter the date of service", "words": "date of service {}", "enter": "date"}
    ]
    assert answer["understood"]
    for each in answer["understood"]:
        assert answer["words"][each["start"] : each["end"]] == each["text"]


@pytest.mark.parametrize("body", [{"words": DATED}, {"words": DATED, "confirmed": False}])
def test_nothing_is_proposed_without_confirmation(server: str, body: dict[str, Any]) -> None:
    answer = answer_to(server, body)
    assert answer["asked"] == []
    assert "proposed" not in answer
    assert "case" not in answer


def test_a_confirmed_case_is_proposed_and_reported_as_a_typed_claim(server: str) -> None:
    answer = answer_to(server, {"words": DATED, "confirmed": True})
    assert [each["line"] for each in answer["proposed"]] == ["93351", "93352", "Q9957x2-JZ"]
    assert all(each["reason"] and each["source"] and each["link"].startswith("/") for each in answer["proposed"])
    assert answer["proposed"][1]["verified_through"] >= "2026-09-30"
    assert answer["findings"] == []
    typed = answer_to(server, {"text": answer["notation"]})
    assert {name: answer[name] for name in typed} == typed
    reviewed = as_reviewed(server, answer)
    assert {name: answer[name] for name in reviewed} == reviewed


def test_what_is_denied_and_corrected_is_marked(server: str) -> None:
    answer = answer_to(server, {"words": "Optison not used, Definty 1.3 mL, Lumason ordered"})
    marks = {each["text"]: each for each in answer["understood"]}
    assert marks["Optison"]["negated"]
    assert marks["Definty"] | {"corrected": True, "value": "Definity"} == marks["Definty"]
    assert marks["Lumason"]["unsure"]


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({"words": ""}, "words", "expected a description"),
        ({"words": "\u202e\u0000\u0007"}, "words", "expected a description"),
        ({"words": 1}, "words", "expected a case described in words"),
        ({"words": None}, "words", "expected a case described in words"),
        ({"words": WORDS, "confirmed": "yes"}, "confirmed", "expected true or false"),
        ({"words": WORDS, "day": "2026-11-03"}, "day", "expected `words` alone"),
        ({"words": WORDS, "text": "93351"}, "text", "expected `words` alone"),
        ({"words": WORDS, "SSN123": 1}, "words", "expected `words` alone"),
        ({"words": "x" * (LONGEST_DESCRIPTION + 1)}, "words", "at most 2,000 characters"),
        ({"words": "stress echo, " * 8_000, "confirmed": True}, "words", "at most 2,000 characters"),
        ({"confirmed": True}, "text", "expected one of the keys"),
    ],
)
def test_what_cannot_be_read_names_its_field(server: str, body: dict[str, Any], where: str, words: str) -> None:
    response = post(server, body)
    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert words in issue["diagnostics"]
    assert "SSN123" not in issue["diagnostics"]
    assert issue["expression"] == [where]


def test_no_word_of_a_description_is_logged_or_counted(server: str, server_log: Path) -> None:
    words = f"{DATED}, Jane Quixotel MRN 8675309"
    answer_to(server, {"words": words, "confirmed": True})
    post(server, {"words": words + "x" * LONGEST_DESCRIPTION})
    for told in (server_log.read_text(), requests.get(f"{server}/metrics", timeout=10).text):
        assert "Quixotel" not in told
        assert "8675309" not in told
        assert "treadmill" not in told


def test_the_answers_are_those_of_the_document(server: str) -> None:
    document = requests.get(f"{server}/openapi.json", timeout=10).json()
    operation = document["paths"]["/claim"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    taken = operation["requestBody"]["content"]["application/json"]["schema"]
    for body in ({"words": WORDS}, {"words": DATED}, {"words": DATED, "confirmed": True}):
        for part, value in ((schema, answer_to(server, body)), (taken, body)):
            jsonschema_rs.validator_for(part | {"components": document["components"]}).validate(value)
    for name in ("CaseUnderstood", "CaseProposed"):
        assert {"words", "understood", "not_understood", "asked"} <= {
            *document["components"]["schemas"][name]["required"]
        }


def test_the_page_offers_to_describe_a_case(server: str) -> None:
    page = requests.get(f"{server}/claim", timeout=10).text
    assert "Describe the case in words" in page
    assert page.count("data-description=") == 3
    assert json.dumps(LONGEST_DESCRIPTION) not in page, "the service refuses a long text; the page must not cut it"
