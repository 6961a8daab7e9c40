"""The reference over HTTP and in the terminal: the same content for users and programs."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
import requests

import hooks
from cds_service.cdshooks.services import ServiceDirectory
from cds_service.errors import TableError
from cds_service.review.advisor import Advisor
from cds_service.review.glossary import load_glossary
from cds_service.review.reference import rule_page
from cds_service.review.samples import SampleLibrary
from cds_service.wiring import describe
from hooks.codes.tables import CODES, GUIDANCE, PATIENT_WORDS, POLICIES
from hooks.publish.reference import all_tables, reference
from tests.conftest import BY_LOADED_TABLES
from tests.support.forked import run
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(3)

CODE_NUMBERS = sorted({entry.code for entry in CODES})
assert CODE_NUMBERS
RULE_IDS = [rule.id for rule in hooks.all_rules()]
assert RULE_IDS
MODIFIER_NAMES = ["26", "TC", "52", "59", "XE", "XS", "XP", "XU", "76", "77", "JW", "JZ"]
JSON = {"Accept": "application/json"}


def get(server: str, path: str, **headers: str) -> requests.Response:
    return requests.get(server + path, headers=headers, timeout=30)


class _Page(HTMLParser):
    """Checks that tags nest, and collects ids, links and text."""

    VOID: ClassVar = {"meta", "link", "input", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        named = dict(attrs)
        assert "style" not in named
        assert {name[:2] for name in named}.isdisjoint({"on"})
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named["href"] or ""] if "href" in named else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(response: requests.Response) -> _Page:
    page = _Page()
    page.feed(response.text)
    assert page.open == []
    page.text = " ".join(page.text.split())
    return page


# --- every page -----------------------------------------------------------------------------------------------------

PATHS = [
    "/codes",
    "/codes?q=contrast",
    "/rules",
    "/tables",
    "/glossary",
    *(f"/codes/{code}" for code in CODE_NUMBERS),
    *(f"/rules/{each}" for each in RULE_IDS),
    "/modifiers",
    *(f"/modifiers/{each}" for each in MODIFIER_NAMES),
]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_sound(server: str, path: str) -> None:
    response = get(server, path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in policy
    assert "Accept" in response.headers["Vary"]
    page = page_of(response)
    assert len(set(page.ids)) == len(page.ids)
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert page.links
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))


@pytest.mark.exhaustive
def test_every_link_inside_leads_somewhere(server: str) -> None:
    links: set[str] = set()
    for path in PATHS:
        links |= {link.split("#")[0] for link in page_of(get(server, path)).links if link.startswith("/")}
    assert "/static/reference.css" in links
    for link in links:
        assert get(server, link).status_code == 200, link


@pytest.mark.parametrize("path", PATHS)
def test_json_by_accept(server: str, path: str) -> None:
    response = get(server, path, **JSON)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("application/fhir+json", "application/json"),
        ("image/png", "text/html"),
    ],
)
def test_the_page_is_for_who_does_not_ask_for_json(server: str, accept: str, kind: str) -> None:
    assert get(server, "/codes/93352", Accept=accept).headers["Content-Type"].split(";")[0] == kind


# --- the glossary ---------------------------------------------------------------------------------------------------


def test_the_glossary_explains_each_term_with_its_source_and_its_neighbors(server: str) -> None:
    terms = get(server, "/glossary", **JSON).json()["terms"]
    page = page_of(get(server, "/glossary"))
    names = [term["name"] for term in terms]
    assert names == sorted(names, key=str.lower)
    assert terms
    for term in terms:
        assert term["id"] in page.ids
        assert term["text"] in page.text
        assert term["cited"]["source"]
        assert f'"#{term["id"]}"' in get(server, "/glossary").text or not any(
            term["id"] in other.get("see", []) for other in terms
        )
    assert {code for term in terms for code in term.get("codes", [])} <= set(CODE_NUMBERS)


def test_a_term_that_names_one_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "glossary.yaml"
    path.write_text(
        "title: Glossary\nsources: {own: {publisher: a, document: b, year: 2026}}\n"
        "entries: [{code: one, name: one, text: A word., see: [two]}]\n"
    )
    with pytest.raises(TableError, match=r"glossary.yaml: `see` names terms that are not in the file: two"):
        load_glossary(path)


# --- codes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "among", "not_among"),
    [
        ("93352", ["93352"], ["93350"]),
        ("9335", ["93350", "93351", "93352", "93356"], ["0439T"]),
        ("q9957", ["Q9957"], ["Q9950"]),
        ("Definity", ["Q9957"], ["Q9950"]),
        ("DEFINITY", ["Q9957"], ["Q9956"]),
        ("contrast", ["93352", "C8928", "C8930", "Q9950", "Q9956", "Q9957", "A9700"], ["93350"]),
        ("hospital", ["C8928", "C8929", "C8930"], ["93350"]),
        ("stress echo", ["93350", "93351", "93352"], ["93306"]),
        ("11994-011-04", ["Q9957"], ["Q9956"]),
        ("00407270703", ["Q9956"], ["Q9957"]),
        ("283753", ["Q9956", "Q9957"], ["Q9950"]),
        ("perfusion", ["0439T"], ["93352"]),
        ("", CODE_NUMBERS, []),
    ],
)
def test_search(server: str, query: str, among: list[str], not_among: list[str]) -> None:
    answer = requests.get(f"{server}/codes", params={"q": query}, headers=JSON, timeout=10).json()
    found = [each["code"] for each in answer["codes"]]
    assert set(among) <= set(found)
    assert not set(not_among) & set(found)
    assert answer["query"] == query


def test_the_exact_code_comes_first(server: str) -> None:
    assert get(server, "/codes?q=93350", **JSON).json()["codes"][0]["code"] == "93350"


def test_a_query_that_finds_nothing_is_no_fault_and_is_shown_as_text(server: str) -> None:
    response = requests.get(f"{server}/codes", params={"q": "<script>alert(1)</script>"}, timeout=10)
    assert response.status_code == 200
    assert "<script>" not in response.text
    assert "No code matches" in page_of(response).text


def sections(code: str) -> dict[str, Any]:
    page = reference().page(code)
    assert page
    return {section.id: section for section in page.sections}


def said(code: str, section: str) -> str:
    found = sections(code)[section]
    cells = [cell for grid in found.grids for row in grid.rows for cell in row.cells]
    return " ".join([*(each.text for each in found.statements), *cells])


@pytest.mark.parametrize(
    ("code", "section", "expected"),
    [
        ("93352", "patient", "bubbles"),
        ("93352", "guidelines", "Report once per stress echo"),
        ("93352", "guidelines", "93350, 93351"),
        ("93352", "modifiers", "Never append 26 or TC"),
        ("93352", "compliance", "rest echo is wrong"),
        ("93352", "coverage", "L36889"),
        ("93352", "documentation", "need for contrast"),
        ("0439T", "coverage", "L38786"),
        ("0439T", "guidelines", "93306, 93307, 93308, 93350, 93351"),
        ("93350", "guidelines", "93352"),
        ("93350", "crosswalk", "C8928"),
        ("C8930", "crosswalk", "93351"),
        ("C8928", "compliance", "magnetic resonance"),
        ("Q9950", "modifiers", "JZ"),
        ("Q9950", "compliance", "Q9957 for Lumason is wrong"),
        ("Q9957", "crosswalk", "Definity"),
        ("Q9957", "units", "1 mL"),
        ("A9700", "units", "per study"),
    ],
)
def test_what_a_page_says(server: str, code: str, section: str, expected: str) -> None:
    assert expected in said(code, section)
    assert expected in page_of(get(server, f"/codes/{code}")).text


@pytest.mark.parametrize("code", CODE_NUMBERS)
def test_every_page_is_sourced_and_dated(server: str, code: str) -> None:
    text = page_of(get(server, f"/codes/{code}")).text
    assert "verified through" in text or "published" in text
    content = get(server, f"/codes/{code}", **JSON).json()
    assert content["cited"]["source"]
    facts = [fact for section in content["sections"] for fact in section.get("statements", [])]
    facts += [row for section in content["sections"] for grid in section.get("grids", []) for row in grid["rows"]]
    assert facts
    for fact in facts:
        assert fact["cited"]["source"]
        assert fact["cited"]["checked"].startswith(("verified through 20", "published 20"))


def test_what_is_from_memory_says_verify(server: str) -> None:
    assert "from memory: verify" in page_of(get(server, "/codes/Q9957")).text
    assert any(each.confidence == "memory" for each in GUIDANCE)


def test_history_is_by_date(server: str) -> None:
    history = get(server, "/codes/93356", **JSON).json()["history"]
    days = [each["day"] for each in history]
    assert days == sorted(days)
    assert {"2020-01-01", "2021-06-30", "2021-07-01"} <= set(days)
    assert history
    assert all(each["source"] for each in history)


def test_a_code_in_lower_case_is_found(server: str) -> None:
    assert get(server, "/codes/q9957", **JSON).json()["code"] == "Q9957"


def test_every_table_is_shown_somewhere() -> None:
    """A new table appears by itself: its facts stand on the page of a code that they concern."""
    shown = {
        row.cited.source
        for page in reference().pages
        for section in page.sections
        for grid in section.grids
        for row in grid.rows
    }
    others = [table for table in all_tables() if table not in (CODES, GUIDANCE, PATIENT_WORDS)]
    others = [table for table in others if any(entry.code in CODES for entry in table)]
    assert others
    for table in others:
        assert {table.source(entry).label for entry in table if entry.code in CODES} <= shown, table.name


def test_what_guidance_and_policies_name_is_in_scope() -> None:
    named = {code for entry in GUIDANCE for code in (entry.code, *entry.also)} | {
        code for entry in POLICIES for code in entry.codes
    }
    assert named <= set(CODE_NUMBERS)


@pytest.mark.parametrize(
    "path",
    ["/codes/99999", "/codes/nothing", "/rules/nothing", "/codes/%3Cb%3E", "/modifiers/99", "/modifiers/%3Cb%3E"],
)
def test_unknown_is_a_404(server: str, path: str) -> None:
    response = get(server, path, **JSON)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert response.json()["resourceType"] == "OperationOutcome"
    response = get(server, path)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
    assert "not found" in page_of(response).text
    assert "<b>" not in response.text


# --- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule_id", RULE_IDS)
def test_a_rules_page_runs_its_samples(request: pytest.FixtureRequest, rule_id: str) -> None:
    server = request.getfixturevalue("server_with_articles" if rule_id in BY_LOADED_TABLES else "server")
    content = get(server, f"/rules/{rule_id}", **JSON).json()
    assert content["why"]
    assert content["flags"]
    assert content["passes"]
    assert content["sources"]
    assert len(content["examples"]) == len(list((ROOT / "sample_bundles" / rule_id).glob("*.json")))
    assert content["examples"]
    for example in content["examples"]:
        rules = [rule for card in example["cards"] for rule in (card["rule"], *card.get("alsoRules", ()))]
        assert rule_id in rules if example["expected"] == "flags" else rules == []
        assert example["holds"] == example["notation"].splitlines()
    page = get(server, f"/rules/{rule_id}").text
    for example in content["examples"]:
        assert f'href="/claim#{quote(example["notation"])}"' in page
    text = page_of(get(server, f"/rules/{rule_id}")).text
    summaries = [card["summary"] for example in content["examples"] for card in example["cards"]]
    assert summaries
    assert all(each in text for each in summaries)


def test_without_samples_a_rules_page_has_no_examples(advisor: Advisor) -> None:
    assert (
        SampleLibrary(ROOT / "nowhere", ServiceDirectory(hooks.all_services(), "org.example"), describe).run(
            advisor.rules[0], advisor
        )
        == ()
    )


def test_a_rules_page_says_what_the_site_made_of_it(advisor: Advisor) -> None:
    assert rule_page(advisor.rules[0], advisor).site == ""


# --- the style ------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


CSS = (ROOT / "cds_service" / "web" / "static" / "reference.css").read_text()
LIGHT, DARK = [
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "grounds"),
    [
        ("text", ["ground", "raised"]),
        ("soft", ["ground", "raised"]),
        ("link", ["ground", "raised"]),
        ("mark", ["ground", "raised"]),
        ("info", ["info-ground", "ground"]),
        ("warning", ["warning-ground", "ground"]),
        ("pass", ["pass-ground", "ground"]),
        ("ground", ["link"]),
    ],
)
def test_text_keeps_a_contrast_of_4_5_to_1(colours: dict[str, str], text: str, grounds: list[str]) -> None:
    assert grounds
    for ground in grounds:
        assert contrast(colours[text], colours[ground]) >= 4.5


def test_the_style_loads_nothing_and_prints() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert "@media print" in CSS
    assert "prefers-color-scheme: dark" in CSS


# --- the terminal ---------------------------------------------------------------------------------------------------


def test_a_code_in_the_terminal_says_what_its_page_says() -> None:
    result = run("codes", "93352")
    text = result.stdout.decode()
    assert result.returncode == 0
    assert "\x1b" not in text
    page = reference().page("93352")
    assert page
    assert page.glance.topics
    for topic in page.glance.topics:
        assert topic.title in text
        assert topic.facts
        assert all(fact.text in text for fact in topic.facts)
    assert page.glance.examples
    for example in page.glance.examples:
        assert example.what in text
        assert "; ".join(example.notation.splitlines()) in text
    assert page.sections
    for section in page.sections:
        assert section.title in text
    statements = [statement.text for section in page.sections for statement in section.statements]
    cells = [cell for section in page.sections for grid in section.grids for row in grid.rows for cell in row.cells]
    assert statements
    assert cells
    assert [each for each in (*statements, *cells) if each not in text] == []
    assert "verified through 2026-09-30" in text


def test_all_codes_in_the_terminal() -> None:
    text = run("codes").stdout.decode()
    assert all(code in text for code in CODE_NUMBERS)


@pytest.mark.parametrize(("word", "expected"), [("definity", "Q9957  perflutren"), ("hospital", "C8930")])
def test_codes_by_word_in_the_terminal(word: str, expected: str) -> None:
    result = run("codes", word)
    assert result.returncode == 0
    assert expected in result.stdout.decode()


@pytest.mark.parametrize("rule_id", RULE_IDS)
def test_a_rule_in_the_terminal_says_what_its_page_says(server: str, rule_id: str) -> None:
    content = get(server, f"/rules/{rule_id}", **JSON).json()
    result = run("rules", rule_id)
    text = result.stdout.decode()
    assert result.returncode == 0
    for part in (content["title"], content["why"], content["flags"], content["passes"]):
        assert part in text
    assert content["examples"]
    for example in content["examples"]:
        assert example["name"] in text
    summaries = [card["summary"] for example in content["examples"] for card in example["cards"]]
    assert summaries or rule_id in BY_LOADED_TABLES
    assert all(each in text for each in summaries)


def test_all_rules_in_the_terminal() -> None:
    text = run("rules").stdout.decode()
    assert all(rule_id in text for rule_id in RULE_IDS)


@pytest.mark.parametrize("command", [("codes", "99999"), ("rules", "nothing")])
def test_unknown_in_the_terminal_is_exit_code_2_and_one_plain_line(command: tuple[str, str]) -> None:
    result = run(*command)
    assert result.returncode == 2
    assert result.stdout == b""
    assert result.stderr.count(b"\n") == 1
