"""Questions about other codes, where CMS's tables are loaded. The rows are invented."""

import pytest

from cds_service.ask.answer import Answer
from cds_service.ask.asker import Asker
from cds_service.cms.quarters import Quarter
from cds_service.settings import Settings
from cds_service.wiring import create_advisor, create_asker
from tests.support.cms_release import Release, load

RELEASE = Release(
    Quarter(2026, 4),
    pairs={
        "professional": [("93350", "99213", "20260101", "*", "1"), ("93351", "93352", "20260101", "*", "0")],
        "facility": [("93350", "93351", "20260101", "*", "0")],
    },
    limits={"professional": [("99213", "1", "3"), ("20610", "4", "3"), ("93352", "7", "3")]},
    add_ons=[("1", "11046", "11043", "20130401", "")],
    statuses=[("99213", "B")],
)


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    folder = load(tmp_path_factory.mktemp("tables"), RELEASE)
    return create_asker(create_advisor(Settings(tables_dir=folder)))


def texts(answer: Answer) -> dict[str, str]:
    return {each.id: each.text for each in answer.answer}


def test_a_loaded_pair_answers_for_another_code(asker: Asker) -> None:
    answer = asker.ask("can I bill 99213 with 93350 on the same day?")
    assert texts(answer)["ptp:93350:99213:professional"] == (
        "On a practitioner's claim, 99213 is not paid with 93350 unless a modifier tells of a distinct service "
        "(indicator 1)."
    )
    sentence = next(each for each in answer.answer if each.id == "ptp:93350:99213:professional")
    assert "2026Q4" in sentence.source or "2026" in sentence.source
    assert sentence.verified_through == Quarter(2026, 4).last


def test_a_loaded_pair_answers_before_our_own(asker: Asker) -> None:
    found = texts(asker.ask("93351 and 93352 together"))
    assert "with any modifier (indicator 0)" in found["ptp:93351:93352:professional"]
    assert found
    assert not [name for name in found if name.startswith("pairs:")]


def test_a_loaded_limit_and_add_on_answer_for_other_codes(asker: Asker) -> None:
    assert "at most 4 units" in texts(asker.ask("MUE of 20610"))["mue:20610:professional"]
    assert "11043" in texts(asker.ask("primary for 11046"))["add-ons:11046"]


@pytest.mark.parametrize("question", ["99999", "99999 with 93350", "MUE of 99999"])
def test_a_code_that_no_table_lists_stays_unknown(asker: Asker, question: str) -> None:
    answer = asker.ask(question)
    assert not answer.answered
    assert answer.declined == "99999 is not in these tables."


def test_a_day_that_no_release_reaches_is_not_answered_by_one(asker: Asker) -> None:
    found = texts(asker.ask("99213 with 93350 on 2027-03-01"))
    assert "ptp:" not in " ".join(found)


def test_our_own_tables_say_nothing_on_codes_that_they_do_not_have(asker: Asker) -> None:
    """Our pairs list nothing on another code, which means nothing."""
    for question in ("99213 with 93350", "99213 with 93350 on 2027-03-01", "99213 with 93350 in the hospital"):
        found = texts(asker.ask(question))
        assert "pairs:" not in " ".join(found)


def test_a_loaded_release_replaces_our_own_limit(asker: Asker) -> None:
    found = texts(asker.ask("MUE of 93352"))
    assert "at most 7 units" in found["mue:93352:professional"]
    assert "unit_limits:93352:professional" not in found
    assert "unit_limits:93352:facility" in found, "no release of hospitals is loaded"
    before = texts(asker.ask("MUE of 93352 on 2026-05-01"))
    assert "unit_limits:93352:professional" in before
    assert "mue:93352:professional" not in before


def test_payments_are_of_the_loaded_releases(asker: Asker) -> None:
    answer = asker.ask("OPPS status of 99213")
    assert "status B" in texts(answer)["payment:99213:hospital-outpatient-department"]
