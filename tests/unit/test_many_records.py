"""Time per record stays constant for many records of one kind, as from a sender in a loop."""

import copy
import json
import time

from cds_service.review.advisor import Advisor
from tests.support.ehr import topics
from tests.support.notation import request_of
from tests.unit.test_skipped_resources import CLAIM, answer

SECONDS = 5.0  # of CPU: a second is more than it takes; comparing all pairs of pairs takes minutes


def test_a_claim_that_comes_sixty_times_is_answered_at_once(advisor: Advisor) -> None:
    request = request_of({"professional": "93351, 93016, 93018"})
    entries = request["context"]["draftCharges"]["entry"]
    for number in range(60):
        entries.append(copy.deepcopy(entries[0]))
        entries[-1]["resource"]["id"] = f"copy-{number}"
    started = time.thread_time()
    assert "pair-conflict" in topics(answer(advisor, request))
    assert time.thread_time() - started < SECONDS
    assert len(advisor.answer(CLAIM, json.dumps(request).encode()).parsed.case.lines) == 183
