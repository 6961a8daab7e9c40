"""A record that says the same in a form that is not understood gives rise to no advice.

A sample with a fixed seed; with `BLUR=all` (`make blur`) every blur of every record of every case and sample.
"""

import json
import os
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from cds_service.core.changes import AddLine, RemoveOrder
from cds_service.core.rules import WARNING
from cds_service.review.advisor import Advisor, Answer
from tests.rules.blur import INSTANTS, blurred
from tests.rules.test_cases import CASES, SERVICES
from tests.support.notation import request_of, service_of
from tests.support.running import ROOT

pytestmark = pytest.mark.repeats(12)

SAMPLED = 480
SEED = 20261127


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every case of every rule and every sample: its name, its service and its request."""
    for rule_id, by_expectation in CASES.items():
        for case in (each for cases in by_expectation.values() for each in cases):
            yield f"{rule_id}: {case['what']}", service_of(case), request_of(case)
    hooks = {service.hook: service.id for service in SERVICES.values()}
    for path in sorted((ROOT / "sample_bundles").glob("*/*.json")):
        request = json.loads(path.read_text())
        if "hook" in request:
            service = hooks.get(request["hook"]) or "contrast-echo-claim-review"
            yield f"{path.parent.name}/{path.name}", service, request


def advice(answer: Answer) -> set[tuple[str, ...]]:
    """The changes that an answer asks for by rule, kind and code, and the rules of warnings without a change."""
    found: set[tuple[str, ...]] = set()
    for rule, finding in answer.review.unfolded:
        changes = [change for fix in finding.fixes for change in fix.changes]
        for change in changes:
            code = change.code if isinstance(change, AddLine | RemoveOrder) else str(change)
            found.add((rule.id, type(change).__name__, code))
        if not changes and rule.indicator_of(finding, answer.stage) == WARNING:
            found.add((rule.id, "warning"))
    return found


# In these cases one line holds back the fix of the line beside it: by a code without a system, or by a modifier whose
# meaning hangs on the payer. Once it is not understood at all, what was found before, or was open, is fixed in the
# other line, as the record has it.
HELD_BACK = frozenset({
    "add-on-modifier: one of two add-ons has no code system",
    "contrast-not-supported: one of the lines has no code system",
    "pair-conflict: a removed add-on has no code system",
    "stress-drug-units: one of two lines has no code system",
    "supply-waste-modifier: one of two unmarked lines has no code system",
    "units-over-limit: given and discarded together are above the limit",
})  # fmt: skip


def new_advice(
    advisor: Advisor, service: str, good: dict[str, Any], blurry: dict[str, Any], case: str = ""
) -> set[tuple[str, ...]]:
    """The advice that only the blurred request gives: neither a change that another rule asked for before, nor in other
    words what the rule found before. Of a case held back, that of rules that had nothing to say before.
    """
    before = advisor.answer(SERVICES[service], json.dumps(good).encode())
    after = advisor.answer(SERVICES[service], json.dumps(blurry).encode())
    given = advice(before)
    found = {rule.id for rule, _ in before.review.unfolded}
    told = found | {rule.id for rule, _ in before.review.not_checked} if case in HELD_BACK else set()
    changes = {each[1:] for each in given} - {("warning",)}
    new = {each for each in advice(after) - given if each[1:] not in changes and each[0] not in told}
    return {each for each in new if each[0] not in found or each[1:] != ("warning",)}


def blurs_of(part: int) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Every blur of every request of a part: its name, the service, the good request and the blurred one."""
    for name, service, request in islice(requests(), part, None, PARTS):
        for blur, other in blurred(request):
            yield f"{name} | {blur}", service, request, other


PARTS = 16  # so that `make blur` uses all cores


@pytest.mark.parametrize("part", range(PARTS))
def test_no_advice_comes_from_what_is_not_understood(advisor: Advisor, part: int) -> None:
    chosen = list(blurs_of(part))
    if os.environ.get("BLUR") != "all":
        chosen = random.Random(SEED + part).sample(chosen, SAMPLED // PARTS)
    faults = {}
    for name, service, good, other in chosen:
        if found := new_advice(advisor, service, good, other, name.partition(" | ")[0]):
            faults[name] = found
    assert len(chosen) >= SAMPLED // PARTS
    assert faults == {}


def rewrite_one_fact(first: str, second: str) -> bool:
    """True if both blurs write dates or practitioners anew: together they would state another day or person."""
    names = {each.rpartition(": ")[2] for each in (first, second)}
    return names <= INSTANTS.keys() or names <= {"performer as a role", "performer by identifier"}


@pytest.mark.parametrize("part", range(PARTS))
def test_no_advice_comes_from_two_records_that_are_not_understood(advisor: Advisor, part: int) -> None:
    """Pairs of blurs, drawn by a fixed seed: one for every second case, or eight for each with `BLUR=all`."""
    draw = random.Random(SEED + part)
    faults = {}
    judged = 0
    whole = os.environ.get("BLUR") == "all"
    for name, service, good in islice(requests(), part, None, PARTS if whole else 2 * PARTS):
        for _ in range(8 if whole else 1):
            first, other = draw.choice(list(blurred(good)))
            second, other = draw.choice([each for each in blurred(other) if not rewrite_one_fact(first, each[0])])
            judged += 1
            if found := new_advice(advisor, service, good, other, name):
                faults[f"{name} | {first} | {second}"] = found
    assert judged >= len(CASES)
    assert faults == {}
