"""The memory of a call is freed when it is answered, without waiting for the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from cds_service.core.case import Case, Record
from cds_service.review.advisor import Advisor
from tests.bench.calls import Call, measured
from tests.rules.test_cases import SERVICES

pytestmark = pytest.mark.repeats(3)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def kept() -> list[Case | Record]:
    """The cases and records in memory, but for the frozen ones."""
    return [each for each in gc.get_objects() if isinstance(each, Case | Record)]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("call", measured(12_000), ids=lambda call: call.name)
def test_a_call_leaves_nothing_behind(advisor: Advisor, call: Call) -> None:
    service = SERVICES[call.path.rsplit("/", 1)[-1]]
    advisor.answer(service, call.body)  # what is kept for good is made by the first call
    gc.collect()
    gc.freeze()  # what was here before is not counted, even if another test's thread lets go of it now
    for _ in range(3):
        advisor.answer(service, call.body)
    assert gc.collect() == 0, "objects that hold one another in a circle"
    assert not kept()
