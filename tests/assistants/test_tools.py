"""The tools, resources and prompt, by the SDK's own client: over stdio, and over HTTP with the tokens of a client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from mcp.shared.exceptions import MCPError

import hooks
from cds_service.ask.asker import Asker
from cds_service.cdshooks.cards import MOST_CARDS
from cds_service.languages.worded import plain_text
from cds_service.review.advisor import Advisor
from cds_service.review.report import report_of
from cds_service.review.typed_cases import review_case
from cds_service.wiring import create_asker
from hooks.publish.reference import reference
from tests.assistants.clients import Assistant, over_http, over_stdio
from tests.http.test_authentication import REGISTRATIONS
from tests.support.notation import WRITER, typed
from tests.support.running import running_command
from tests.support.tokens import BASE, P384, RSA, jwk, key_set, published, token

pytestmark = pytest.mark.repeats(3)

TOOLS = ["review_claim", "review_bundle", "explain_code", "explain_rule", "search_codes", "ask"]
NOTATION = "professional: 93351, 93352, Q9957x3\nplace: 11\npayer: Medicare\nday: 2026-06-01\ngiven: Definity 1.3 mL\n"
FIELDS: dict[str, Any] = {
    "professional": ["93351", "93352", "Q9957x3"],
    "place": "11",
    "payer": "Medicare",
    "day": "2026-06-01",
    "given": "Definity 1.3 mL",
}
EMPTY = {"resourceType": "Bundle", "type": "collection", "entry": []}
SECRET = "ZEBEDEE"


def bundle(**case: str) -> dict[str, Any]:
    """The Bundle that a case stands for."""
    return WRITER.bundle(typed({"day": "2026-06-01"} | case)).bundle


@pytest.fixture(scope="module", params=["stdio", "stdio, 2025", "http", "http, 2025"])
def assistant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """A client of each transport, of the newest protocol and of the handshake before it."""
    folder = tmp_path_factory.mktemp("mcp")
    mode = "legacy" if "2025" in request.param else "auto"
    if "stdio" in request.param:
        with over_stdio(folder / "log.txt", mode) as made:
            yield made
        return
    with published(key_set(jwk(P384, "k1"), jwk(RSA, "r1"))) as keys:
        (folder / "ward.json").write_bytes(key_set(jwk(P384, "k1")))
        (folder / "clients.yaml").write_text(REGISTRATIONS.format(keys=keys.address))
        settings = {"CDS_MODE": "production", "CDS_CLIENTS_FILE": str(folder / "clients.yaml")}
        settings["CDS_PUBLIC_BASE_URL"] = BASE
        with (
            running_command(folder, "mcp", "--http", **settings) as service,
            over_http(service.address, lambda: token(aud=f"{BASE}/mcp"), mode) as made,
        ):
            yield made


@pytest.fixture(scope="module")
def asker(plain_advisor: Advisor) -> Asker:
    return create_asker(plain_advisor)


# --- the tools ------------------------------------------------------------------------------------------------------


def test_every_tool_is_described_and_only_reads(assistant: Assistant) -> None:
    tools = assistant.tools()
    assert [tool.name for tool in tools] == TOOLS
    for tool in tools:
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert not tool.annotations.open_world_hint
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.repeats(4)
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("review_claim", {"notation": NOTATION}),
        ("review_claim", FIELDS),
        ("review_bundle", {"bundle": bundle(lines="93350, Q9957x2"), "complete": ["Procedure"]}),
        ("explain_code", {"code": "q9957"}),
        ("explain_rule", {"id": "supply-units-mismatch"}),
        ("search_codes", {"query": "lumason"}),
        ("search_codes", {}),
        ("ask", {"question": "may 93352 be charged with 93015?"}),
        ("ask", {"question": "what about 99213?"}),
    ],
)
def test_an_answer_has_the_form_that_is_declared(assistant: Assistant, tool: str, arguments: dict[str, Any]) -> None:
    result = assistant.call(tool, **arguments)
    assert not result.is_error
    declared = next(each for each in assistant.tools() if each.name == tool).output_schema
    jsonschema.validate(result.structured_content, declared or {})
    (content,) = result.content
    assert json.loads(getattr(content, "text", "")) == result.structured_content


def test_notation_and_keys_are_reviewed_alike(assistant: Assistant) -> None:
    by_notation, by_keys = (
        assistant.answer("review_claim", notation=NOTATION),
        assistant.answer("review_claim", **FIELDS),
    )
    assert by_notation == by_keys
    (units,) = (each for each in by_keys["findings"] if each["rule"] == "supply-units-mismatch")
    assert units["fixes"][0]["changes"] == ["set Q9957 to 2 units"]
    assert "Q9957x2" in units["fixes"][0]["caseAfter"]
    assert units["evidence"]


def test_findings_passes_and_what_was_not_checked_stay_apart_and_findings_are_cited(assistant: Assistant) -> None:
    answer = assistant.answer("review_claim", notation=NOTATION)
    rules = {rule.id for rule in hooks.all_rules()}
    passed = {each["rule"] for each in answer["passed"]}
    not_checked = {each["rule"] for each in answer["notChecked"]}
    assert passed | not_checked | {each["rule"] for each in answer["findings"]} == rules
    assert not passed & not_checked
    assert passed
    assert not_checked
    assert answer["passed"]
    assert all(each["reason"] for each in (*answer["passed"], *answer["notChecked"]))
    assert answer["findings"]
    for finding in answer["findings"]:
        assert finding["sources"]
        assert all(each["source"] and each["checked"] for each in finding["sources"])


def test_a_bundle_is_reviewed_as_the_service_does(assistant: Assistant, plain_advisor: Advisor) -> None:
    sent = bundle(lines="93350, Q9957x2")
    answer = assistant.answer("review_bundle", bundle=sent, stage="claim")
    expected = report_of(plain_advisor.review_bundle(json.dumps(sent).encode(), "claim"))
    assert [each["id"] for each in answer["findings"]] == [each.id for each in expected.findings]
    assert answer["findings"]
    assert [each["rule"] for each in answer["notChecked"]] == [each.rule for each in expected.not_checked]


def test_nothing_of_an_echo_is_said_and_passes_nothing(assistant: Assistant) -> None:
    answer = assistant.answer("review_claim", professional="99213", day="2026-06-01", place="11")
    assert answer["empty"]
    assert "nothing of an echo was found" in answer["sentence"]
    assert answer["passed"] == []


def test_a_code_is_explained_with_sources(assistant: Assistant) -> None:
    page = assistant.answer("explain_code", code="93352")["page"]
    expected = reference().page("93352")
    assert expected is not None
    assert page["code"] == "93352"
    assert [each["id"] for each in page["sections"]] == [each.id for each in expected.sections]
    cited = [each["cited"] for section in page["sections"] for each in section.get("statements", ())]
    assert cited
    assert all(each["source"] and each["checked"] for each in cited)


def test_codes_are_searched(assistant: Assistant) -> None:
    assert [each["code"] for each in assistant.answer("search_codes", query="lumason")["codes"]] == ["Q9950"]
    assert len(assistant.answer("search_codes")["codes"]) == len(reference().pages)
    assert assistant.answer("search_codes", query=SECRET)["codes"] == []


def test_questions_are_answered_from_the_tables_or_declined(assistant: Assistant, asker: Asker) -> None:
    question = "how many units for 1.3 mL of Definity?"
    answer = assistant.answer("ask", question=question)
    assert answer == json.loads(msgspec.json.encode(asker.ask(question), enc_hook=plain_text))
    assert answer["answered"]
    assert answer["answer"]
    assert all(each["source"] and each["text"] for each in answer["answer"])
    declined = assistant.answer("ask", question="what does 99213 pay?")
    assert (declined["answered"], declined["answer"]) == (False, [])
    assert "99213" in declined["declined"]


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("review_claim", {}, "expected the date of service"),
        ("review_claim", {"notation": 5}, "`notation`: expected `str | null`, got `int`"),
        ("review_claim", {"notation": NOTATION, "place": "11"}, "`notation`: expected either it or the keys"),
        ("review_claim", {"professional": [5], "day": "2026-06-01"}, "`professional`: expected `str`, got `int`"),
        ("review_claim", {"patient": SECRET}, "expected only the arguments notation, hook, claim_type"),
        ("review_claim", {"professional": "93351", "day": "soon"}, "soon: expected"),
        ("review_claim", {"notation": "x" * 100_001}, "`notation`: expected at most 100,000 characters"),
        ("review_bundle", {}, "`bundle` is required"),
        ("review_bundle", {"bundle": SECRET}, "`bundle`: expected `object`, got `str`"),
        ("review_bundle", {"bundle": {"resourceType": "Patient", "id": SECRET}}, "expected a FHIR Bundle"),
        (
            "review_bundle",
            {"bundle": EMPTY, "stage": SECRET},
            "`stage`: expected one of the values",
        ),
        (
            "review_bundle",
            {"bundle": EMPTY, "complete": [SECRET]},
            "`complete`: expected resource",
        ),
        ("explain_code", {}, "`code` is required"),
        ("explain_code", {"code": SECRET}, "`code`: not a code of these tables"),
        ("explain_code", {"code": "9" * 101}, "`code`: expected `str` of length <= 100"),
        ("explain_rule", {"id": SECRET}, "`id`: expected the id of a rule: one of add-on-modifier,"),
        ("explain_rule", {"id": None}, "`id`: expected `str`, got `null`"),
        ("search_codes", {"query": SECRET * 50}, "`query`: expected `str` of length <= 100"),
        ("search_codes", {"query": ["x"]}, "`query`: expected `str`, got `array`"),
        ("ask", {}, "`question` is required"),
        ("ask", {"question": ""}, "`question`: expected `str` of length >= 1"),
        ("ask", {"question": SECRET * 100}, "`question`: expected `str` of length <= 500"),
        ("ask", {"q": SECRET}, "expected only the arguments question"),
    ],
)
def test_a_fault_names_the_argument_and_what_was_expected(
    assistant: Assistant, tool: str, arguments: dict[str, Any], expected: str
) -> None:
    text = assistant.fault(tool, **arguments)
    assert expected in text
    assert len(text.splitlines()) == 1
    assert "Traceback" not in text
    assert SECRET not in text


def test_a_tool_that_does_not_exist_is_refused(assistant: Assistant) -> None:
    with pytest.raises(MCPError, match="`name`: expected one of review_claim, review_bundle"):
        assistant.call("charge_more")


def test_what_is_nested_too_deeply_is_refused(assistant: Assistant) -> None:
    deep: Any = {}
    for _ in range(70):
        deep = {"a": deep}
    assert "nested more than 64 levels deep" in assistant.fault("review_bundle", bundle=deep)


# --- resources and prompt -------------------------------------------------------------------------------------------


def test_pages_are_resources(assistant: Assistant) -> None:
    templates = assistant.portal.call(assistant.client.list_resource_templates).resource_templates
    assert [each.uri_template for each in templates] == ["contrast-echo:///codes/{code}", "contrast-echo:///rules/{id}"]
    listed = [str(each.uri) for each in assistant.portal.call(assistant.client.list_resources).resources]
    assert len(listed) == len(reference().pages) + len(hooks.all_rules())
    assert json.loads(assistant.read("contrast-echo:///codes/93352")) == assistant.answer("explain_code", code="93352")
    rule = "contrast-echo:///rules/units-over-limit"
    assert rule in listed
    assert json.loads(assistant.read(rule)) == assistant.answer("explain_rule", id="units-over-limit")


@pytest.mark.parametrize(
    "uri",
    [
        f"contrast-echo:///codes/{SECRET}",
        f"contrast-echo:///rules/{SECRET}",
        "contrast-echo:///tables/93352",
        "contrast-echo://host/codes/93352",
        "contrast-echo:///codes/93352/more",
        "contrast-echo:///codes/..%2F..%2Fetc",
        "https://example.org/codes/93352",
        "file:///etc/passwd",
    ],
)
def test_another_address_is_no_resource(assistant: Assistant, uri: str) -> None:
    with pytest.raises(MCPError) as caught:
        assistant.read(uri)
    assert str(caught.value).startswith(("`uri`: expected", "`code`: not a code", "`id`: expected"))
    assert SECRET not in str(caught.value)


def test_the_prompt_reads_a_denial(assistant: Assistant) -> None:
    (prompt,) = assistant.portal.call(assistant.client.list_prompts).prompts
    assert [(each.name, each.required) for each in prompt.arguments or ()] == [("denial", True), ("claim", False)]
    text = assistant.prompt("read_denial", denial="CO-97 on 93352", claim=NOTATION)
    assert "CO-97 on 93352" in text
    assert "Q9957x3" in text
    assert all(name in text for name in ("review_claim", "explain_rule", "explain_code"))
    for arguments, expected in (
        ({}, "`denial` is required"),
        ({"denial": " "}, "`denial` is required"),
        ({"denial": "x", "patient": SECRET}, "expected only the arguments denial, claim"),
        ({"denial": "x" * 100_001}, "`denial`: expected at most 100,000 characters"),
    ):
        with pytest.raises(MCPError, match=expected):
            assistant.prompt("read_denial", **arguments)
    with pytest.raises(MCPError, match="`name`: expected read_denial"):
        assistant.prompt("write_appeal")


# --- limits that need a case of their own ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """A client of a server with low limits."""
    limits = {"CDS_MAX_LINES": "100", "CDS_MAX_ENTRIES": "150", "CDS_MAX_BODY_BYTES": "100000"}
    with over_stdio(tmp_path_factory.mktemp("narrow") / "log.txt", **limits) as made:
        yield made


def test_the_limits_are_those_of_the_service(narrow: Assistant) -> None:
    lines = ", ".join(["93350"] * 120)
    assert "at most 100 charges and claim lines" in narrow.fault("review_bundle", bundle=bundle(lines=lines))
    many = {"resourceType": "Bundle", "type": "collection", "entry": [{}] * 151}
    assert "a list in the body has more than 150 elements" in narrow.fault("review_bundle", bundle=many)


def test_a_message_that_is_too_large_is_answered_and_the_next_one_too(narrow: Assistant) -> None:
    with pytest.raises(MCPError, match="the message is larger than this service accepts: at most 100000 bytes"):
        narrow.call("review_claim", notation=SECRET * 100_000)
    assert narrow.answer("search_codes", query="lumason")["codes"]


def test_a_call_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with over_stdio(tmp_path / "log.txt", CDS_MAX_CPU_SECONDS="0.000001") as made:
        text = made.fault("review_claim", notation=NOTATION)
    assert "more time to compare than this service gives to one call" in text


def test_a_long_answer_counts_what_it_does_not_show(narrow: Assistant, plain_advisor: Advisor) -> None:
    lines = [f"93352 on 2026-{month:02}-{day:02}" for month in range(1, 4) for day in range(1, 29)]
    case = {"professional": lines, "day": "2026-01-01", "place": "11"}
    every = review_case(plain_advisor, WRITER, typed(case)).report.findings
    answer = narrow.answer("review_claim", **case)
    assert [each["id"] for each in answer["findings"]] == [each.id for each in every[:MOST_CARDS]]
    (said,) = (each["message"] for each in answer["warnings"] if each["location"] == "findings")
    assert said == f"{len(every) - MOST_CARDS} more findings are not shown: an answer has {MOST_CARDS}"


def test_the_sites_own_statements_are_told_as_such(tmp_path: Path) -> None:
    with over_stdio(tmp_path / "log.txt", CDS_SITE_FILE="deploy/site.example.yaml") as made:
        sections = made.answer("explain_code", code="Q9957")["page"]["sections"]
        answer = made.answer("review_claim", notation=NOTATION)
    assert sections[-1]["title"] == "This site's own statements"
    (units,) = (each for each in answer["findings"] if each["rule"] == "supply-units-mismatch")
    (statement,) = units["siteStatements"]
    assert (statement["id"], statement["date"]) == ("site:mac-two-vials", "2026-05-04")
