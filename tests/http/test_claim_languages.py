"""`/claim` in ten languages: its texts as the page's script reads them, and English for programs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

import hooks
from hooks.publish.claims import EXAMPLES
from tests.http.test_claim import CASE, post
from tests.http.test_patient import pseudo, pseudo_catalogs
from tests.http.test_reference_languages import _Left, english_in
from tests.support.speaking import app_with

IN_WORDS = "65 M, treadmill stress echo, continuous ECG, I supervised and read it, Definity 1.3 mL, my office, Medicare"
TEXTS = {
    "summary", "detail", "seen", "label", "text", "title", "reason", "sentence", "question", "kind", "message",
}  # fmt: skip

# The names of documents, which no language translates, and of records in Markdown.
LABELS = {source.label for rule in hooks.all_rules() for source in rule.sources}
# The longest first: some begin as others do.
SOURCES = re.compile("|".join(map(re.escape, sorted(LABELS, key=len, reverse=True))))
RECORDS = re.compile("`[^`]*`")


@pytest.fixture(scope="module")
def client_of_pseudo(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return app_with(pseudo_catalogs(tmp_path_factory.mktemp("pseudo"))).test_client()


def answer_in(client: FlaskClient, body: dict[str, Any], tag: str = "vi") -> dict[str, Any]:
    response = client.post(f"/claim?lang={tag}", json=body)
    assert response.status_code == 200
    return dict(response.get_json())


def texts_in(value: Any, name: str = "") -> list[str]:
    """The texts that people read, in an answer."""
    if isinstance(value, dict):
        return [
            text for key, each in value.items() if key not in {"case", "form", "bundle"} for text in texts_in(each, key)
        ]
    if isinstance(value, list):
        return [text for each in value for text in texts_in(each, name)]
    is_list_of_texts = name in {"changes", "notes"}
    return [value] if isinstance(value, str) and (name in TEXTS or is_list_of_texts) else []


def english_left(texts: list[str]) -> set[str]:
    seen = _Left()
    seen.left = [RECORDS.sub("", SOURCES.sub("", text)) for text in texts]
    return english_in(seen)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: str(each.label))
def test_a_report_has_no_english_left(client_of_pseudo: FlaskClient, example: Any) -> None:
    answer = answer_in(client_of_pseudo, {"text": example.notation})
    assert answer["untranslated"] == []
    texts = [each for each in texts_in(answer) if each]
    assert len(texts) > 10
    assert english_left(texts) == set()
    assert answer["passed"][0]["rule"].isascii()
    assert answer["notation"] == example.notation
    assert 'lang="en"' not in "".join(finding["html"] for finding in answer["findings"])


def test_what_is_understood_and_asked_is_said(client_of_pseudo: FlaskClient) -> None:
    answer = answer_in(client_of_pseudo, {"words": IN_WORDS})
    assert answer["untranslated"] == []
    assert [each["question"] for each in answer["asked"]] == [pseudo("When was it done?")]
    assert {each["kind"] for each in answer["understood"]} >= {pseudo("study"), pseudo("product")}
    values = {each["value"] for each in answer["understood"]}
    assert {pseudo("stress echo"), "Definity", "Medicare"} <= values
    (choice,) = answer["asked"][0]["answers"]
    assert choice["words"] == "date of service {}", "what is added to the description stays as it is read"


def test_a_proposal_is_said(client_of_pseudo: FlaskClient) -> None:
    answer = answer_in(client_of_pseudo, {"words": f"{IN_WORDS}, 11/03/2026", "confirmed": True})
    assert [each["line"] for each in answer["proposed"]] == ["93351", "93352", "Q9957x2-JZ"]
    assert answer["untranslated"] == []
    assert english_left([each["reason"] for each in answer["proposed"]]) == set()


def test_a_fault_names_its_language(client_of_pseudo: FlaskClient) -> None:
    response = client_of_pseudo.post("/claim?lang=vi", json={"text": "lines: 93351\nday: tomorrow"})
    assert response.status_code == 400
    assert response.get_json()["language"] == "vi"
    line, rest = pseudo("line {number}: {fault}").replace("{number}", "2").split("{fault}")
    assert (
        response.get_json()["issue"][0]["diagnostics"]
        == f"{line}tomorrow: {pseudo('expected a date such as 2026-11-03')}{rest}"
    )
    other = client_of_pseudo.post("/claim?lang=vi", data=b"{", content_type="application/json")
    assert "language" not in other.get_json(), "a fault without a translation is English"


def test_programs_get_english(server: str) -> None:
    english = post(server, CASE)
    for headers in ({"Accept-Language": "vi"}, {"Cookie": "lang=vi"}):
        other = post(server, CASE, **headers)
        assert other.content == english.content
        assert "Content-Language" not in other.headers
    same = requests.post(f"{server}/claim?lang=en", json=CASE, timeout=30)
    assert same.content == english.content
    assert "untranslated" not in english.json()


@pytest.mark.parametrize("tag", ["", "xx", "zh-TW"])
def test_a_language_that_is_not_spoken_is_a_bad_request(server: str, tag: str) -> None:
    response = requests.post(f"{server}/claim?lang={tag}", json=CASE, timeout=30)
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["lang"]
    assert requests.get(f"{server}/claim?lang={tag}", timeout=30).status_code == 400


@pytest.mark.parametrize("tag", ["en", "ar", "ru"])
def test_the_page_carries_what_its_scripts_say(server: str, tag: str) -> None:
    text = requests.get(f"{server}/claim?lang={tag}", timeout=30).text
    assert f'<html lang="{tag}"' in text
    begin = '<script type="application/json" id="script-words">'
    assert (begin in text) == (tag != "en")
    carried = [json.loads(each.split("</script>")[0]) for each in text.split(begin)[1:]]
    assert [type(words) for words in carried] == ([] if tag == "en" else [dict])


def test_catalogs_of_no_messages_leave_all_in_english(tmp_path: Path) -> None:
    client = app_with(pseudo_catalogs(tmp_path, only="Sources")).test_client()
    answer = answer_in(client, {"text": EXAMPLES[0].notation})
    assert answer["findings"][0]["summary"] in answer["untranslated"]
    html = answer["findings"][0]["html"]
    assert '<p><strong><span class="untranslated" lang="en" dir="ltr">Seen on 2026-11-03</span></strong></p>' in html
    assert not re.search("[\ue000\ue001]", json.dumps(answer, ensure_ascii=False))
