"""A smaller part of `make fuzz`, and proof that its oracles find faults made on purpose."""

import json
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import hooks
from cds_service.app import create_app, openapi_document
from cds_service.database import connections, migrate
from cds_service.fhir import elements, read, text_faults
from cds_service.fhir.sources import SkippedItem
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from tests.fuzz import __main__ as command
from tests.fuzz.answers import Shapes, faults
from tests.fuzz.bases import MARK, Base, bases
from tests.fuzz.calls import Change, mutated_by, one_more_whose_charges_are_not_read
from tests.fuzz.case import Case, Expected, load
from tests.fuzz.client import PATIENCE, Answer, InsideClient
from tests.fuzz.document import Document, encoded
from tests.fuzz.draw import Deck
from tests.fuzz.envelope import BYTE_ORDER_MARK, reshaped
from tests.fuzz.fetched import fetched
from tests.fuzz.mutations import DAMAGED, MUTATIONS, SAME
from tests.fuzz.oracles import lost_warnings, rules_that_may_miss
from tests.fuzz.places import at, resources
from tests.fuzz.run import Failure, Hammer, Plan, Tally, faults_of_log, hammer, keep
from tests.fuzz.spoken import ABOUT_ABSENCE, Spoken, spoken
from tests.support.notation import request_of

pytestmark = pytest.mark.repeats(3)

CASES = 1500
SEED = 1


@pytest.fixture(scope="module")
def good() -> tuple[Base, ...]:
    corpus = os.environ.get("CORPUS_DIR")
    return bases(Path(corpus) if corpus else None)


def told(tally: Tally) -> str:
    return "\n".join(f"{failure.case.name}: {failure.reasons}" for failure in tally.failures)


@pytest.mark.exhaustive
def test_thousands_of_damaged_requests(good: tuple[Base, ...]) -> None:
    with command.started() as (service, fhir):
        tally = hammer(service.address, fhir, good, Plan(CASES, SEED, seconds=300, clients=2))
        assert tally.failed == 0, told(tally)
        assert tally.cases == CASES
        assert faults_of_log(service.log.read_text().splitlines()) == []
    answered = {status for _, status in tally.statuses}
    assert {200, 400, 404, 405, 415} <= answered


def test_a_number_gives_the_same_case_and_another_seed_another(good: tuple[Base, ...]) -> None:
    first, again, other = (Deck(good, seed) for seed in (1, 1, 2))
    assert [first.case(number) for number in range(50)] == [again.case(number) for number in range(50)]
    assert [first.case(number) for number in range(50)] != [other.case(number) for number in range(50)]


def test_every_mutation_is_drawn(good: tuple[Base, ...]) -> None:
    deck = Deck(good, SEED)
    names = " ".join(deck.case(number).name for number in range(3000))
    assert MUTATIONS
    assert [each.name for each in MUTATIONS if each.name not in names] == []


# --- the oracles bite -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Those of applications in this process; their database is there until the process ends."""
    url = f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/db.sqlite3"
    engine = connections.create(url)
    with engine.begin() as connection:
        migrate.upgrade(connection)
    engine.dispose()
    return Settings(database_url=url)


def faults_of(settings: Settings, cases: Iterable[Case]) -> str:
    """Failures of these cases in an application of this process."""
    tally = Hammer(InsideClient(create_app(settings))).send(cases)
    assert tally.cases > 50
    return " ".join(reason for failure in tally.failures for reason in failure.reasons)


def damaged(good: Iterable[Base], *names: str) -> list[Case]:
    """Some hundred requests of the rules' cases, damaged in these ways."""
    ways = [each for each in MUTATIONS if each.name in names]
    some = [base for base in good if base.origin == "cases"][::8]
    made = [mutated_by(base, way, random.Random(base.name)) for base in some for way in ways]
    return [case for case in made if case]


@pytest.mark.exhaustive
def test_nothing_is_found_where_nothing_is_broken(settings: Settings, good: tuple[Base, ...]) -> None:
    assert faults_of(settings, damaged(good, "junk_status", "junk_date", "unlist")) == ""


@pytest.mark.exhaustive
def test_a_warning_that_is_swallowed_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read.CaseReader, "_report", lambda *_: None)
    assert "is not named" in faults_of(settings, damaged(good, "junk_status"))


def test_a_rule_that_raises_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Iterator[Any]:
        raise KeyError("a defect")

    every = tuple(replace(each, check=broken) if each.id == "pair-conflict" else each for each in hooks.all_rules())
    monkeypatch.setattr(hooks, "all_rules", lambda: every)
    assert "answered 500, expected 200" in faults_of(settings, damaged(good, "junk_status"))


@pytest.mark.exhaustive
def test_advice_to_charge_again_what_could_not_be_read_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "codes_in", lambda *_: frozenset())
    assert "which stands in what could not be read" in faults_of(settings, damaged(good, "junk_status"))


def test_advice_that_depends_on_what_does_not_matter_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "day_of", lambda moment, _=None: date.fromisoformat(moment) if moment else None)
    assert "500" in faults_of(settings, damaged(good, "add_a_time_to_a_day"))


def test_a_value_that_a_warning_repeats_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "without_values", lambda message: message)
    assert "a warning repeats what was sent" in faults_of(settings, damaged(good, "junk_status"))


@pytest.mark.exhaustive
def test_a_record_taken_for_absent_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administration that cannot be read is named, and the list is taken for complete all the same."""

    def named_only(reader: read.CaseReader, source: Any, reason: str) -> None:
        reader.skipped.append(SkippedItem(source.path, reason))

    monkeypatch.setattr(read.CaseReader, "_report", named_only)
    monkeypatch.setattr(read, "parts_in", lambda *_: frozenset())
    monkeypatch.setattr(read, "codes_in", lambda *_: frozenset())
    some = [base for base in good if base.origin == "cases" and b"MedicationAdministration" in base.body]
    assert "takes off" in faults_of(settings, changed(some, _without_status_of_administrations))


def changed(good: Iterable[Base], change: Change) -> list[Case]:
    """Requests with their entries or keys changed in this way, where it can be done."""
    cases = []
    for base in good:
        document = Document(base.body)
        if done := change(base, document, random.Random(base.name)):
            cases.append(Case(name=done[0], route="", path=base.path, body=document.encode(), expected=done[1]))
    return cases


def _without_status_of_administrations(base: Base, document: Document, _: random.Random) -> tuple[str, Expected] | None:
    found = [place for place in resources(document.tree) if place.location.startswith("prefetch.medicationAdmin")]
    for place in found:
        at(document.tree, place.steps)["status"] = MARK
    damaged = tuple(place.location for place in found)
    return ("junk status", Expected(like=(base.body,), damaged=damaged)) if found else None


@pytest.mark.exhaustive
def test_charges_that_are_not_read_and_not_named_are_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [base for base in good if base.origin == "cases"][::4]
    cases = changed(some, one_more_whose_charges_are_not_read)
    assert faults_of(settings, cases) == ""
    monkeypatch.setattr(read, "UNREAD_CHARGES", frozenset())
    assert "nothing is said of" in faults_of(settings, cases)


@pytest.mark.exhaustive
def test_a_byte_order_mark_that_is_refused_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [reshaped(good[number % len(good)], random.Random(number)) for number in range(20_000)]
    cases = [case for case in drawn if case.body[:3] == BYTE_ORDER_MARK]
    assert faults_of(settings, cases) == ""
    monkeypatch.setattr(text_faults, "BYTE_ORDER_MARK", b"none")
    assert "answered 400, expected 200" in faults_of(settings, cases)


# --- what an answer says, beside that to the good request ------------------------------------------------------------

GOOD = Case(name="good", route="", path="/review")
EOB_NOTICE = "ExplanationOfBenefit: reviewed as billed charges, which cannot be changed"
PAYER_NOT_SENT = "not understood: Coverage/1 was not sent"
PAYER = "Claim/1 item 1 names Coverage/1, which was not sent: it may be fee-for-service Medicare"


def report(*findings: Any, warnings: Any = (), open_questions: Any = ()) -> Spoken:
    """A report of `/review` with findings as (rule, summary, evidence), warnings and reasons of open questions."""
    content = {
        "findings": [{"rule": rule, "summary": words, "evidence": [seen]} for rule, words, seen in findings],
        "passed": [],
        "notChecked": [{"rule": "x", "reason": each} for each in open_questions],
        "warnings": [{"location": place, "message": message} for place, message in warnings],
    }
    return spoken("/review", encoded(content))


@pytest.mark.parametrize(
    ("summary", "codes"),
    [
        ("93352 and Q9957 charged, but the record lists no contrast given: remove them.", {"93352", "Q9957"}),
        ("Q9950 charged, but the record lists no contrast given: remove it.", {"Q9950"}),
        ("93352 is charged without a primary: add 93350 or 93351 if performed, or remove it.", {"93352"}),
    ],
)
def test_every_code_that_is_to_be_removed_counts_as_removed(summary: str, codes: set[str]) -> None:
    answer = report(("contrast-not-supported", summary, "ChargeItem/1"))
    assert answer.removals_for_lack_of(ABOUT_ABSENCE) == codes
    assert answer.removals_for_lack_of(frozenset({"add-on-without-primary"})) == set()


@pytest.mark.parametrize(
    ("base", "answer", "is_lost"),
    [
        ({"warnings": [("a", EOB_NOTICE)]}, {"warnings": [("b", EOB_NOTICE)]}, False),
        ({"warnings": [("a", EOB_NOTICE)]}, {}, False),
        ({"warnings": [("a", EOB_NOTICE)]}, {"cited": "ExplanationOfBenefit/1 item 1"}, True),
        ({"warnings": [("a", PAYER_NOT_SENT)], "open_questions": [PAYER]}, {}, False),
        ({"warnings": [("a", PAYER_NOT_SENT)], "open_questions": [PAYER]}, {"open_questions": [PAYER]}, True),
        ({"warnings": [("a", "not understood: Medication/1 was not sent")]}, {}, True),
        ({"warnings": [("a", "Claim.item.servicedDate: expected a date such as 2026-03-17")]}, {}, True),
    ],
)
def test_a_warning_is_lost_unless_it_belongs_to_advice_that_is_not_given(
    base: dict[str, Any], answer: dict[str, Any], is_lost: bool
) -> None:
    cited = answer.pop("cited", None)
    given = report(*([("pair-conflict", "x", cited)] if cited else []), **answer)
    assert bool(list(lost_warnings(GOOD, given, report(**base)))) is is_lost


@pytest.mark.parametrize(
    ("path", "kind", "is_lost"),
    [("/review", "Rumour", False), ("/review", "ServiceRequest", True), ("/cds-services/x", "Rumour", True)],
)
def test_a_warning_of_an_order_is_lost_unless_the_bundle_may_hold_a_charge_now(
    path: str, kind: str, is_lost: bool
) -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": kind, "id": "1"}}]}
    place = "Bundle.entry[0].resource"
    case = Case(name="", route="", path=path, body=encoded(bundle), expected=Expected(damaged=(place,)))
    base = report(warnings=[("Bundle.entry[1].resource", "not understood: an order has no code")])
    given = report(warnings=[(place, "not a resource type of FHIR R4")])
    assert bool(list(lost_warnings(case, given, base))) is is_lost


@pytest.mark.parametrize(("told", "is_lost"), [((0, 1), False), ((0,), True), ((), True)])
def test_a_warning_of_a_drug_is_lost_unless_no_charge_is_left(told: tuple[int, ...], is_lost: bool) -> None:
    charges = [{"resource": {"resourceType": "ChargeItem", "id": str(i)}} for i in range(2)]
    body = {"prefetch": {"chargeItems": {"resourceType": "Bundle", "entry": charges}}}
    case = Case(name="", route="", path="/cds-services/x", body=encoded(body))
    base = report(warnings=[("prefetch.drugs.entry[0].resource", "not understood: an administration has no code")])
    given = report(warnings=[(f"prefetch.chargeItems.entry[{i}].resource", "is not valid") for i in told])
    assert bool(list(lost_warnings(case, given, base))) is is_lost


PLAIN: dict[str, Any] = {"lines": "93351, 93352", "done": ["93351"]}


@pytest.mark.parametrize(
    ("case", "damaged", "counts"),
    [
        (PLAIN, "context.draftCharges.entry[0].resource", False),
        (PLAIN, "prefetch.procedures.entry[0].resource", True),
        (PLAIN, "context.draftCharges.entry[9]", True),
        (PLAIN | {"given": ["Definity 1.3 mL"]}, "context.draftCharges.entry[0].resource", True),
        (PLAIN | {"done": ["C8930"]}, "context.draftCharges.entry[0].resource", True),
    ],
)
def test_no_contrast_on_record_is_blamed_on_a_charge_only_where_some_record_may_show_contrast(
    case: dict[str, Any], damaged: str, counts: bool
) -> None:
    body = encoded(request_of(case))
    expected = Expected(like=(body,), damaged=(damaged,))
    assert ("contrast-not-supported" in rules_that_may_miss(replace(CALL, expected=expected))) is counts


# --- what is wrong with an answer by itself -------------------------------------------------------------------------

CALL = Case(name="a call", route="", path="/cds-services/contrast-echo-claim-review")
FLAGGED = encoded(request_of({"professional": "93350", "place": "11", "given": ["Definity 1.3 mL"]}))


@pytest.fixture(scope="module")
def shapes(advisor: Advisor) -> Shapes:
    return Shapes(openapi_document(advisor))


@pytest.fixture
def answer(settings: Settings) -> Answer:
    """A good answer with cards."""
    return InsideClient(create_app(settings)).send(replace(CALL, body=FLAGGED))


def wrong(shapes: Shapes, answer: Answer, **members: Any) -> str:
    return "; ".join(faults(replace(CALL, body=FLAGGED), replace(answer, **members), shapes))


def with_card(answer: Answer, **members: Any) -> bytes:
    content = json.loads(answer.body)
    content["cards"][0] |= members
    return encoded(content)


def test_a_good_answer_has_no_fault(shapes: Shapes, answer: Answer) -> None:
    assert wrong(shapes, answer) == ""


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"summary": "x" * 140}, "not a Response"),
        ({"summary": "two\nlines"}, "a summary of"),
        ({"uuid": "1"}, "not a Response"),
        ({"indicator": "critical"}, "a critical card"),
        ({"detail": "**Seen**\n\n<b>x</b>\n\n**Why**\n\n**Source**"}, "HTML in a detail"),
        ({"detail": "x"}, "a detail without"),
        ({"links": []}, "not a Response"),
        ({"overrideReasons": None}, "not a Response"),
        ({"news": 1}, "not a Response"),
        ({"source": {"label": "", "topic": {"system": "x", "code": "x"}}}, "a card without a source"),
    ],
)
def test_a_card_that_breaks_a_limit_is_found(shapes: Shapes, answer: Answer, members: Any, words: str) -> None:
    assert words in wrong(shapes, answer, body=with_card(answer, **members))


def changed_claim(answer: Answer, **members: Any) -> bytes:
    content = json.loads(answer.body)
    (action,) = content["cards"][0]["suggestions"][0]["actions"]
    action["resource"] |= members
    return encoded(content)


def test_an_update_that_changes_what_it_does_not_say_is_found(shapes: Shapes, answer: Answer) -> None:
    words = "an update that changes more than it says"
    assert words in wrong(shapes, answer, body=changed_claim(answer, provider={"reference": "Organization/other"}))
    assert words in wrong(shapes, answer, body=changed_claim(answer, id="other"))


FHIR_JSON = {"content-type": "application/fhir+json"}
ISSUE = {"severity": "error", "code": "invalid", "diagnostics": "`hook`: wrong"}


def fault(**members: Any) -> dict[str, Any]:
    """An OperationOutcome; members of its issue are replaced."""
    return {"resourceType": "OperationOutcome", "issue": [ISSUE | members]}


@pytest.mark.parametrize(
    ("status", "headers", "content", "words"),
    [
        (500, FHIR_JSON, fault(), "answered 500"),
        (400, FHIR_JSON, fault(diagnostics=""), "say in a sentence"),
        (400, FHIR_JSON, fault(more=1), "not a OperationOutcome"),
        (400, FHIR_JSON, fault(expression=["prefetch"]), "prefetch is named"),
        (400, FHIR_JSON, fault(diagnostics=f"{MARK} is wrong"), "patient's data"),
        (400, {"content-type": "text/html"}, fault(), "a fault that is a page"),
        (400, {"content-type": "application/json"}, fault(), "a fault of type"),
        (503, FHIR_JSON, fault(), "without `Retry-After`"),
        (0, {}, {}, "no answer"),
    ],
)
def test_a_fault_that_is_not_well_said_is_found(
    shapes: Shapes, status: int, headers: dict[str, str], content: Any, words: str
) -> None:
    case = replace(CALL, expected=Expected(statuses=(400,), field="hook"))
    assert words in "; ".join(faults(case, Answer(status, headers, encoded(content)), shapes))


def test_an_answer_that_takes_for_ever_is_found(shapes: Shapes, answer: Answer) -> None:
    assert "the answer took" in wrong(shapes, answer, seconds=PATIENCE + 1)


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ('{"event": "call", "level": "info"}', False),
        ('{"event": "example namespace", "level": "warning"}', False),
        ("[INFO] Starting granian", False),
        ('{"event": "defect", "level": "error"}', True),
        (f'{{"event": "call", "level": "info", "patient": "{MARK}"}}', True),
        ("Traceback (most recent call last):", True),
        ("[ERROR] Application callable raised an exception", True),
    ],
)
def test_what_no_log_may_hold_is_found(line: str, is_wrong: bool) -> None:
    assert bool(faults_of_log([line])) is is_wrong


# --- keeping and sending again --------------------------------------------------------------------------------------


def test_a_failure_is_kept_and_sent_again(tmp_path: Path) -> None:
    good = Case(name="good", route="", path=CALL.path, body=FLAGGED, expected=Expected(like=(FLAGGED,)))
    bad = replace(good, name="bad", expected=Expected(statuses=(400,)))
    paths = keep([Failure(good, ["why"]), Failure(bad, ["why"])], tmp_path)
    assert [load(path) for path in paths] == [good, bad]
    again = [CliRunner().invoke(command.main, ["--replay", str(path)]) for path in paths]
    assert [each.exit_code for each in again] == [0, 1]
    assert "nothing is wrong" in again[0].output
    assert "answered 200, expected 400" in again[1].output


def test_a_call_whose_data_were_fetched_is_sent_again_to_the_server_of_the_later_run(
    good: tuple[Base, ...], tmp_path: Path
) -> None:
    base = next(each for each in good if b'"medicationAdministrations"' in each.body and each.path == CALL.path)
    drawn = (fetched("http://127.0.0.1:1/fhir", base, random.Random(number)) for number in range(100))
    (path,) = keep([Failure(next(case for case in drawn if case.served), ["why"])], tmp_path)
    again = CliRunner().invoke(command.main, ["--replay", str(path)])
    assert (again.exit_code, "nothing is wrong" in again.output) == (0, True), again.output


@pytest.mark.exhaustive
def test_the_command_prints_what_came_of_it_and_ends_with_1_where_there_was_no_time(tmp_path: Path) -> None:
    common = ["--clients", "1", "--failures", str(tmp_path)]
    done = CliRunner().invoke(command.main, ["--requests", "60", *common])
    assert done.exit_code == 0, done.output
    assert "POST /review" in done.output
    assert "failures: 0; alarms in the log: 0; cases for which there was no time: 0" in done.output
    late = CliRunner().invoke(command.main, ["--requests", "60", "--seconds", "0", *common])
    assert late.exit_code == 1
    assert "no time: 60" in late.output


def test_of_failures_alike_only_some_are_kept() -> None:
    tally = Tally()
    for number in range(10):
        tally.note(Failure(CALL, [f"answered 50{number}"]))
    assert (tally.failed, len(tally.failures)) == (10, 3)


# --- mutations say what they are ------------------------------------------------------------------------------------


def test_what_says_the_same_is_the_same_to_a_reader_of_json(good: tuple[Base, ...]) -> None:
    """Numbers are compared as numbers, times by their day, and what is unknown or null counts for nothing."""
    same = [
        each for each in MUTATIONS if each.reads == SAME and each.name in {"turn_members_around", "escape_characters"}
    ]
    assert good[:40]
    for base in good[:40]:
        assert same
        for each in same:
            document = Document(base.body)
            for place in resources(document.tree):
                each.change(document, at(document.tree, place.steps), random.Random(1))
            assert json.loads(document.encode()) == json.loads(base.body)


def test_what_is_damaged_is_not_what_it_was(good: tuple[Base, ...]) -> None:
    assert MUTATIONS
    for each in MUTATIONS:
        changed = 0
        assert good[:200]
        for base in good[:200]:
            document = Document(base.body)
            for place in list(resources(document.tree))[:2]:
                changed += each.reads == DAMAGED and each.change(
                    document, at(document.tree, place.steps), random.Random(base.name)
                )
            is_changed = document.encode() != base.body
            assert is_changed or not changed
            changed = 0
