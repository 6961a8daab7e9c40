"""`/ask` and the search of `/codes` over HTTP, and the same in the terminal."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from cds_service.ask.asker import LONGEST_QUESTION
from cds_service.cli.main import main
from tests.http.test_reference import JSON, get, page_of


def ask(server: str, question: str) -> requests.Response:
    return requests.get(f"{server}/ask", params={"q": question}, headers=JSON, timeout=30)


def search(server: str, query: str) -> dict[str, Any]:
    response = requests.get(f"{server}/codes", params={"q": query}, headers=JSON, timeout=30)
    assert response.status_code == 200
    return dict(response.json())


MEMBERS = {"question", "answered", "understood", "not_understood", "answer", "asked", "declined"}


def test_the_answer_has_its_sentences_with_sources(server: str) -> None:
    answer = ask(server, "can I bill 93352 alone?").json()
    assert set(answer) == MEMBERS
    assert answer["answered"] is True
    assert {"text": "93352", "kind": "code", "value": "93352"} in answer["understood"]
    assert answer["answer"]
    for sentence in answer["answer"]:
        assert set(sentence) == {"text", "source", "verified_through", "link", "id", "confidence"}
        assert get(server, sentence["link"].split("#")[0]).status_code == 200
    assert any("When was it done?" in each for each in answer["asked"])


@pytest.mark.parametrize("question", ["99213", "will Aetna pay for 93352", "", "<b>", "コード"])
def test_a_declined_question_is_no_error(server: str, question: str) -> None:
    response = ask(server, question)
    assert response.status_code == 200
    answer = response.json()
    assert answer["answered"] is False
    assert answer["declined"]
    assert answer["answer"] == []


@pytest.mark.parametrize("path", ["/ask", "/codes"])
@pytest.mark.parametrize("length", [LONGEST_QUESTION + 1, 20_000])
def test_a_question_over_the_limit_is_refused_by_name(server: str, path: str, length: int) -> None:
    response = requests.get(f"{server}{path}", params={"q": "x" * length}, timeout=30)
    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["expression"] == ["q"]
    assert str(LONGEST_QUESTION) in issue["diagnostics"]


def test_a_question_of_100_kb_is_refused_and_the_service_stays_up(server: str) -> None:
    response = requests.get(f"{server}/ask", params={"q": "93352 " * 17_000}, timeout=30)
    assert 400 <= response.status_code < 500
    assert ask(server, "93352").json()["answered"] is True


def test_no_question_reaches_the_log(server: str, server_log: Path) -> None:
    for question in ("zebrafish 93352 Q9957", "zebrafish", "zebrafish " * 100):
        ask(server, question)
        requests.get(f"{server}/codes", params={"q": question}, timeout=30)
    assert "zebrafish" not in server_log.read_text()
    assert "zebrafish" not in requests.get(f"{server}/metrics", timeout=30).text


PAGES = ["/ask", "/ask?q=93350%20and%2093306%20same%20day", "/ask?q=definty%201.3%20mL%20quux", "/ask?q=99213"]


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_sound(server: str, path: str) -> None:
    response = get(server, path)
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Accept" in response.headers["Vary"]
    page = page_of(response)
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert len(set(page.ids)) == len(page.ids)
    links = {each.split("#")[0] for each in page.links if each.startswith("/")}
    assert links
    for link in links:
        assert get(server, link).status_code == 200, link


def test_the_page_shows_how_the_question_was_understood(server: str) -> None:
    text = page_of(get(server, "/ask?q=definty%201.3%20mL%20units%20quux")).text
    assert "definty product: Definity 1.3 mL amount units topic" in text
    assert "quux" in text
    assert "Definity (written “definty”)?" in text
    assert "1.3 mL given, rounded up to 2 units of 1 mL." in text
    assert "verified through 20" in text


def test_the_page_quotes_a_question_as_text(server: str) -> None:
    response = requests.get(f"{server}/ask", params={"q": '<script>alert("1")</script>'}, timeout=30)
    assert "<script>" not in response.text
    assert "These tables hold nothing that answers this." in page_of(response).text


def test_every_page_leads_to_questions(server: str) -> None:
    for path in ("/codes", "/rules", "/claim", "/glossary"):
        assert 'href="/ask"' in get(server, path).text


# --- the search -----------------------------------------------------------------------------------------------------

HOSPITAL_CODES = ["C8921", "C8922", "C8923", "C8924", "C8925", "C8926", "C8927", "C8928", "C8929", "C8930"]


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("contrast in hospital", HOSPITAL_CODES),
        ("hospital contrast", HOSPITAL_CODES),
        ("NDC 11994-011-04", ["Q9957"]),
        ("11994-0011-04", ["Q9957"]),
        ("11994001104", ["Q9957"]),
        ("1199401104", ["Q9957"]),
        ("0407-2707-03", ["Q9956"]),
        ("00407503401", ["J2785"]),
        ("definty", ["Q9957"]),
        ("93350 93306", ["93350", "93306"]),
        ("TEE with contrast", ["C8925", "C8926"]),
        ("GLS", ["93356"]),
    ],
)
def test_a_search_finds_by_synonyms_numbers_and_misspelled_names(server: str, query: str, codes: list[str]) -> None:
    assert [each["code"] for each in search(server, query)["codes"]] == codes


def test_an_echocardiogram_is_an_echo(server: str) -> None:
    found = {each["code"] for each in search(server, "echocardiogram")["codes"]}
    assert {"93306", "93350", "93351", "C8928"} <= found


def test_a_correction_is_offered(server: str) -> None:
    assert search(server, "definty")["didYouMean"] == "Definity"
    assert "didYouMean" not in search(server, "Definity")
    page = page_of(get(server, "/codes?q=definty"))
    assert "Did you mean Definity?" in page.text
    assert "/codes?q=Definity" in page.links


@pytest.mark.parametrize(("query", "modifier"), [("26", None), ("modifier 26", "26"), ("JZ", "JZ"), ("93352-26", "26")])
def test_modifiers_are_linked(server: str, query: str, modifier: str | None) -> None:
    assert search(server, query).get("modifiers", [None]) == [modifier]
    links = page_of(get(server, f"/codes?q={query}")).links
    assert links
    linked = {each for each in links if each.startswith("/modifiers/")}
    assert f"/modifiers/{modifier}" in linked if modifier else linked == set()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("MUE", "glossary:mue"),
        ("NCCI", "glossary:ncci"),
        ("93350 93306", "pairs:93350:93306:professional"),
        ("93350 93306", "pairs:93350:93306:facility"),
        ("can I bill 93352 alone", "add_ons:93352"),
    ],
)
def test_terms_two_codes_and_questions_are_answered_in_the_search(server: str, query: str, name: str) -> None:
    answer = search(server, query)["answer"]
    assert name in [each["id"] for each in answer["answer"]]
    assert answer["answer"][0]["text"] in page_of(get(server, f"/codes?q={query}")).text


def test_a_code_outside_of_the_tables_is_told(server: str) -> None:
    assert search(server, "99213")["declined"] == "99213 is not in these tables."
    assert "99213 is not in these tables." in page_of(get(server, "/codes?q=99213")).text


@pytest.mark.parametrize("query", ["93352", "Definity", "contrast", "echo"])
def test_a_plain_search_has_no_answer(server: str, query: str) -> None:
    assert "answer" not in search(server, query)


# --- the terminal ---------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_question_in_the_terminal() -> None:
    result = run("ask", "units", "of", "Q9957", "for", "1.3", "mL")
    assert result.exit_code == 0
    assert result.output.startswith("Understood: units (topic), Q9957 (code), 1.3 mL (amount)\n")
    assert "As charged in Q9957x2: 1.3 mL given, rounded up to 2 units of 1 mL." in result.output
    assert "verified through 20" in result.output


def test_the_terminal_prints_the_answer_of_the_service(server: str) -> None:
    question = "93350 and 93306 same day"
    assert json.loads(run("ask", question, "--json").output) == ask(server, question).json()


@pytest.mark.parametrize("question", ["99213", "will Aetna pay for 93352", "", "weather"])
def test_a_declined_question_ends_with_2(question: str) -> None:
    result = run("ask", question)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_question_over_the_limit_is_one_line() -> None:
    result = run("ask", "x" * 501)
    assert (result.exit_code, result.output) == (2, "question: expected at most 500 characters\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["definty"], "Did you mean Definity?"),
        (["contrast", "in", "hospital"], "C8930"),
        (["93350", "93306"], "93306 is not paid with 93350"),
        (["MUE"], "medically unlikely edit"),
    ],
)
def test_codes_are_searched_in_the_terminal(words: list[str], line: str) -> None:
    result = run("codes", *words)
    assert result.exit_code == 0
    assert line in result.output


def test_a_search_without_a_match_ends_with_2() -> None:
    result = run("codes", "99213")
    assert (result.exit_code, result.output) == (
        2,
        "99213 is not in these tables; `cds-service codes` lists all\n",
    )
