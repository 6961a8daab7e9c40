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
from cds_service.fhir import elements, read
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from tests.fuzz import __main__ as command
from tests.fuzz.answers import Shapes, faults
from tests.fuzz.bases import MARK, Base, bases
from tests.fuzz.calls import mutated_by
from tests.fuzz.case import Case, Expected, load
from tests.fuzz.client import PATIENCE, Answer, InsideClient
from tests.fuzz.document import Document, encoded
from tests.fuzz.draw import Deck
from tests.fuzz.mutations import DAMAGED, MUTATIONS, SAME
from tests.fuzz.places import at, resources
from tests.fuzz.run import Failure, Hammer, Plan, Tally, faults_of_log, hammer, keep
from tests.support.notation import request_of

CASES = 2500
SEED = 1


@pytest.fixture(scope="module")
def good() -> tuple[Base, ...]:
    corpus = os.environ.get("CORPUS_DIR")
    return bases(Path(corpus) if corpus else None)


def told(tally: Tally) -> str:
    return "\n".join(f"{failure.case.name}: {failure.reasons}" for failure in tally.failures)


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


def findings_with_views(settings: Settings, cases: Iterable[Case]) -> str:
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


def test_nothing_is_found_where_nothing_is_broken(settings: Settings, good: tuple[Base, ...]) -> None:
    assert findings_with_views(settings, damaged(good, "junk_status", "junk_date", "unlist")) == ""


def test_a_warning_that_is_swallowed_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read.CaseReader, "_report", lambda *_: None)
    assert "is not named" in findings_with_views(settings, damaged(good, "junk_status"))


def test_a_rule_that_raises_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Iterator[Any]:
        raise KeyError("a defect")

    every = tuple(replace(each, check=broken) if each.id == "pair-conflict" else each for each in hooks.all_rules())
    monkeypatch.setattr(hooks, "all_rules", lambda: every)
    assert "answered 500, expected 200" in findings_with_views(settings, damaged(good, "junk_status"))


def test_advice_to_charge_again_what_could_not_be_read_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "codes_in", lambda *_: frozenset())
    assert "which stands in what could not be read" in findings_with_views(settings, damaged(good, "junk_status"))


def test_advice_that_depends_on_what_does_not_matter_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "day_of", lambda moment, _=None: date.fromisoformat(moment) if moment else None)
    assert "500" in findings_with_views(settings, damaged(good, "add_a_time_to_a_day"))


def test_a_value_that_a_warning_repeats_is_found(
    settings: Settings, good: tuple[Base, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "without_values", lambda message: message)
    assert "a warning repeats what was sent" in findings_with_views(settings, damaged(good, "junk_status"))


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
    for base in good[:40]:
        for each in same:
            document = Document(base.body)
            for place in resources(document.tree):
                each.change(document, at(document.tree, place.steps), random.Random(1))
            assert json.loads(document.encode()) == json.loads(base.body)


def test_what_is_damaged_is_not_what_it_was(good: tuple[Base, ...]) -> None:
    for each in MUTATIONS:
        changed = 0
        for base in good[:200]:
            document = Document(base.body)
            for place in list(resources(document.tree))[:2]:
                changed += each.reads == DAMAGED and each.change(
                    document, at(document.tree, place.steps), random.Random(base.name)
                )
            is_changed = document.encode() != base.body
            assert is_changed or not changed
            changed = 0
