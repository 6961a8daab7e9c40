"""Contrast was given to a study, or not, or nobody knows: weighed from its records, with the evidence in words."""

from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.core.concepts import BILLING, Code, Concept
from cds_service.review.advisor import Advisor
from hooks.coding.contrast import agents_given, agents_ordered, contrast_in
from hooks.coding.contrast_words import denies_contrast, mentions_contrast
from hooks.coding.studies import studies
from tests.rules.test_cases import advise

# A case, if contrast was given at its first stress echo, and the evidence for it and against it.
WEIGHED: dict[str, tuple[dict[str, Any], str, list[str], list[str]]] = {
    "a dose": ({"given": ["Definity 1.3 mL"]}, "yes", ["Definity (Q9957), 1.3 mL given"], []),
    "an agent without its dose": ({"given": ["Lumason"]}, "yes", ["Lumason (Q9950) given"], []),
    "an ingredient": (
        {"given": ["RxNorm 283753 1.3 mL"]},
        "yes",
        ["echo contrast (product not specified), 1.3 mL given"],
        [],
    ),
    "another drug": ({"given": ["J1250 30 mg"]}, "no", [], []),
    "an echo with contrast": ({"done": ["C8928"]}, "yes", ["echo with contrast performed"], []),
    "an echo": ({"done": ["93350"]}, "unknown", [], []),
    "an echo with contrast that is going on": ({"done": ["C8928 status in-progress"]}, "unknown", [], []),
    "an echo with contrast that was not done": (
        {"done": ["C8928 status not-done"]},
        "no",
        [],
        ["echo with contrast recorded as not performed"],
    ),
    "an echo that was not done": ({"done": ["93350 status not-done"]}, "no", [], ["echo recorded as not performed"]),
    "an echo that was done at the second attempt": (
        {"done": ["93350 status not-done for O1", "93350 for O1"]},
        "unknown",
        [],
        [],
    ),
    "not given": ({"given": ["Definity status not-done"]}, "no", [], ["recorded as not given"]),
    "one agent given, the other not": (
        {"given": ["Definity status not-done", "Lumason 2 mL"]},
        "yes",
        ["Lumason (Q9950), 2 mL given"],
        [],
    ),
    "stopped": ({"given": ["Definity status stopped"]}, "unknown", [], []),
    "one agent not given, the other stopped": (
        {"given": ["Definity status not-done", "Lumason status stopped"]},
        "unknown",
        [],
        [],
    ),
    "a complete record that lists none": ({"given": "none"}, "no", [], []),
    "no record": ({}, "unknown", [], []),
    "a charge for an agent": ({"lines": "93350, Q9957x2"}, "yes", ["Q9957x2 is charged"], []),
    "a charge without its code system": ({"lines": "93350, Q9957x2 bare"}, "unknown", [], []),
    "a charge, and the agent was not given": (
        {"lines": "93350, Q9957x2", "given": ["Definity status not-done"]},
        "contradicted",
        ["Q9957x2 is charged"],
        ["recorded as not given"],
    ),
    "a charge, and a complete record that lists none": (
        {"lines": "93350, Q9957x2", "given": "none"},
        "contradicted",
        ["Q9957x2 is charged"],
        [],
    ),
    "a charge, and the echo was with contrast": (
        {"lines": "93350, Q9957x2", "done": ["C8928"], "given": "none"},
        "yes",
        ["echo with contrast performed", "Q9957x2 is charged"],
        [],
    ),
    "an agent by its name": ({"given": ["words Definity 1.3 mL"]}, "unknown", [], []),
    "a dose of the day before": ({"given": ["Definity 1.3 mL on 2026-03-01"]}, "unknown", [], []),
    "a dose of the day after": ({"given": ["Definity 1.3 mL on 2026-03-03"]}, "unknown", [], []),
    "a dose of two days after": ({"given": ["Definity 1.3 mL on 2026-03-04"]}, "no", [], []),
    "a dose of two days before": ({"given": ["Definity 1.3 mL on 2026-02-28"]}, "no", [], []),
    "a refusal of the day after": ({"given": ["Definity status not-done on 2026-03-03"]}, "no", [], []),
    "an agent may be of another study": (
        {"lines": "93350, 93306", "given": ["Definity 1.3 mL"]},
        "unknown",
        [],
        [],
    ),
    "a refusal may be of another study": (
        {"lines": "93350, 93306", "given": ["Definity status not-done"]},
        "no",
        [],
        [],
    ),
    "contrast in the name of the procedure": (
        {"done": ["93350 + words echo with contrast"], "given": "none"},
        "unknown",
        [],
        [],
    ),
    "contrast that was not used, in the name of the procedure": (
        {"done": ['93350 + words "stress echo, contrast not used"'], "given": "none"},
        "no",
        [],
        [],
    ),
    "no agent, in the name of the procedure": (
        {"done": ['93350 + words "stress echo, no Definity given"'], "given": "none"},
        "no",
        [],
        [],
    ),
    "an agent, in the name of the procedure": (
        {"done": ['93350 + words "stress echo, Definity given"'], "given": "none"},
        "unknown",
        [],
        [],
    ),
    "no contrast in the name of the procedure": (
        {"done": ["93350 + words echo without contrast"], "given": "none"},
        "no",
        [],
        [],
    ),
}


@pytest.mark.parametrize(("case", "given", "evidence", "against"), WEIGHED.values(), ids=WEIGHED)
def test_contrast_was_given(
    advisor: Advisor, case: dict[str, Any], given: str, evidence: list[str], against: list[str]
) -> None:
    read = advise(advisor, {"lines": "93350"} | case).parsed.case
    study = next(each for each in studies(read) if each.kind == "stress")
    use = contrast_in(study, read)
    assert use.given == given
    assert [each.seen for each in use.evidence] == evidence
    assert [each.seen for each in use.against] == against
    assert bool(agents_given(study)) is any(each.endswith(" given") for each in evidence)


# An order, the evidence that contrast is ordered, and what is only said.
ORDERED: dict[str, tuple[list[str], list[str], list[str]]] = {
    "an agent": (["93350", "Definity"], ["Definity (Q9957) ordered"], []),
    "an echo with contrast": (["C8928"], ["echo with contrast ordered"], []),
    "an echo": (["93350"], [], []),
    "contrast in the words of an order": (
        ["93350 + words with contrast"],
        [],
        ["contrast mentioned in the order text"],
    ),
    "no contrast in the words of an order": (["93350 + words no contrast"], [], []),
    "an agent by its name": (["93350", "words Definity"], [], ["Definity (Q9957) ordered"]),
    "no agent, by its name": (["93350 + words no Definity"], [], []),
    "an agent that is contraindicated": (["93350 + words Definity contraindicated"], [], []),
}


@pytest.mark.parametrize(("ordered", "evidence", "hints"), ORDERED.values(), ids=ORDERED)
def test_contrast_is_ordered(advisor: Advisor, ordered: list[str], evidence: list[str], hints: list[str]) -> None:
    read = advise(advisor, {"hook": "order", "ordered": ordered}).parsed.case
    (study,) = studies(read)
    use = contrast_in(study, read)
    assert (use.given, use.ordered) == ("unknown", bool(evidence))
    assert [each.seen for each in use.orders] == evidence
    assert [each.seen for each in use.hints] == hints
    assert bool(agents_ordered(study)) is (evidence == ["Definity (Q9957) ordered"])


def test_a_name_is_a_hint_only(advisor: Advisor) -> None:
    read = advise(advisor, {"lines": "93350", "given": ["words Definity 1.3 mL"]}).parsed.case
    (study,) = studies(read)
    assert [each.seen for each in contrast_in(study, read).hints] == ["Definity (Q9957) given, named in free text only"]


@pytest.mark.parametrize(
    ("status", "given", "evidence"),
    [("done", "yes", ["Definity (Q9957) used"]), ("not done", "no", []), ("unclear", "unknown", [])],
)
def test_an_agent_that_a_procedure_used_was_given_if_it_was_done(
    advisor: Advisor, status: str, given: str, evidence: list[str]
) -> None:
    read = advise(advisor, {"lines": "93350", "done": ["93350"]}).parsed.case
    used = (Concept(codes=(Code(BILLING, "J1250"),)), Concept(codes=(Code(BILLING, "Q9957"),)))
    using = read.with_records(procedures=[changed(each, status=status, used=used) for each in read.procedures])
    (study,) = studies(using)
    use = contrast_in(study, using)
    assert (use.given, [each.seen for each in use.evidence]) == (given, evidence)
    assert [sorted(agent.codes) for agent, _ in agents_given(study)] == [["Q9957"] for _ in evidence]


@pytest.mark.parametrize(
    ("words", "is_denied"),
    [
        ("No contrast", True),
        ("without echo contrast", True),
        ("non-contrast study", True),
        ("contrast was not required", True),
        ("Contrast agent not given", True),
        ("Definity declined", True),
        ("no Lumason", True),
        ("perflutren is contraindicated", True),
        ("with contrast", False),
        ("contrast used, not tolerated", False),
        ("contrast was given and not tolerated", False),
        ("no reaction to contrast", False),
        ("no wall motion abnormality, Definity given", False),
        ("not limited", False),
        ("", False),
    ],
)
def test_words_deny_contrast(words: str, is_denied: bool) -> None:
    assert denies_contrast(words) is is_denied
    assert mentions_contrast(words) is ("contrast" in words.lower() and not is_denied)
