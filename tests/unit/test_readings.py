"""Practitioners by role and modifiers in words: each reading that takes a false card away."""

import json
from typing import Any

from cds_service.review.advisor import Advisor
from tests.rules.test_cases import SERVICES
from tests.support.notation import request_of, service_of

Json = dict[str, Any]


def verdicts(advisor: Advisor, request: Json, rule_id: str) -> tuple[int, list[str]]:
    """The number of findings of a rule, and the kinds of its open questions."""
    answer = advisor.answer(SERVICES[service_of({})], json.dumps(request).encode())
    found = [each for rule, each in answer.review.findings if rule.id == rule_id]
    return len(found), [each.why for rule, each in answer.review.not_checked if rule.id == rule_id]


def test_a_procedure_by_a_role_may_be_another_practitioners(advisor: Advisor) -> None:
    request = request_of({"lines": "99213 by B", "done": ["93350 by A"], "known": ["chargeItems"]})
    (done,) = [entry["resource"] for entry in request["prefetch"]["procedures"]["entry"]]
    done["performer"] = [{"actor": {"reference": "PractitionerRole/role-of-A"}}]
    assert verdicts(advisor, request, "performed-not-charged") == (0, ["not-understood"])


def test_two_roles_may_be_of_one_practitioner(advisor: Advisor) -> None:
    request = request_of({"lines": "93350 by A, 93352 by B, Q9957x2 by B"})
    assert verdicts(advisor, request, "add-on-without-primary") == (1, [])
    for entry in request["context"]["draftCharges"]["entry"]:
        for each in entry["resource"]["performer"]:
            name = each["actor"]["reference"].rpartition("/")[2]
            each["actor"] = {"reference": f"PractitionerRole/role-of-{name}"}
    assert verdicts(advisor, request, "add-on-without-primary")[0] == 0


def test_a_modifier_in_words_may_be_the_one_that_is_missing(advisor: Advisor) -> None:
    case = {
        "professional": "93351, 93352, Q9957x2-JZ",
        "place": "11",
        "payer": "Medicare",
        "given": ["Definity 1.3 mL"],
    }
    request = request_of(case)
    assert verdicts(advisor, request, "supply-waste-modifier") == (0, [])
    (claim,) = [entry["resource"] for entry in request["context"]["draftCharges"]["entry"]]
    claim["item"][2]["modifier"] = [{"text": "no waste, see worksheet"}]
    assert verdicts(advisor, request, "supply-waste-modifier") == (0, ["not-understood"])
