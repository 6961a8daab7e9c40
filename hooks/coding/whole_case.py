"""Readings of a case as a whole: another payer, other days.

They stand beside every reading of single records: an evening study in UTC is often one of unclear codes, and who pays
decides what a charge that is not understood would mean.
"""

from collections.abc import Iterator
from functools import partial

from cds_service.core.alternatives import Alternative
from cds_service.core.case import Case
from cds_service.languages.worded import joined, worded
from hooks.coding.other_days import other_days
from hooks.coding.questions import WHO_PAYS
from hooks.coding.setting_and_payer import with_payer
from hooks.coding.unclear import it_may_be, unclear_payers


def of_whole_case(case: Case) -> Iterator[Alternative]:
    """Other payers and other days, and both together."""
    yield from _payers(case)
    for moved in other_days(case):
        yield moved
        yield from (beside(each, moved) for each in _payers(moved.case))


def beside(each: Alternative, whole: Alternative) -> Alternative:
    """A reading of records, made of a case that is read in another way as a whole."""
    reason = joined("; ", (each.reason, whole.reason))
    return Alternative(reason, partial(_case_of, each), each.record, each.why, question=each.question or whole.question)


def _case_of(alternative: Alternative) -> Case:
    return alternative.case


def _payers(case: Case) -> Iterator[Alternative]:
    unclear = unclear_payers(case)
    for medicare in (True, False) if unclear else ():
        name = worded("fee-for-service Medicare") if medicare else worded("another payer than Medicare")
        reason = it_may_be(unclear[0], name)
        yield Alternative(reason, partial(with_payer, medicare, case), unclear[0].records[0], question=WHO_PAYS)
