"""Medicare's payment for a code, by the newest loaded fee schedule and Addendum B: national, not adjusted."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec
from msgspec import structs

from cds_service.cms.answers import COMPONENTS, Fee, OppsStatus
from cds_service.cms.catalog import Release
from cds_service.cms.lookup import Snapshot
from cds_service.languages.messages import Money
from cds_service.languages.worded import capitalized, fact, joined, prose, worded
from cds_service.review.reference import Citation, CodePage, Statement, Topic

PAYMENT = "payment"  # the heading of short facts
_CENT = Decimal("0.01")


class Payment(msgspec.Struct, rename="camel", omit_defaults=True):
    """A payment in US dollars, and how it comes about: relative values (RVU) or an OPPS rate.

    `where` is an office, a facility (the practitioner's part) or a hospital outpatient department. `amount` None: not
    paid there, or packaged, as `basis` says. `release` names CMS's file, `first` and `last` its days of service, and
    `indicator` the status, such as `status A` of the fee schedule or `OPPS N`.
    """

    where: str
    modifier: str
    amount: Decimal | None
    basis: str
    release: str
    first: date
    last: date
    indicator: str = ""


def payments_of(code: str, snapshot: Snapshot) -> tuple[Payment, ...]:
    """The payments of a code by the newest loaded releases; empty if none is loaded or lists it."""
    return (*_by_fee_schedule(code, snapshot), *_by_opps(code, snapshot))


def _by_fee_schedule(code: str, snapshot: Snapshot) -> Iterator[Payment]:
    day = _newest(snapshot, "fees")
    if day is None:
        return
    for modifier in ("", *COMPONENTS):
        found = snapshot.fee(code, modifier, day)
        if isinstance(found, Fee):
            yield _practitioner(found, modifier, facility=False)
            yield _practitioner(found, modifier, facility=True)


def _practitioner(fee: Fee, modifier: str, *, facility: bool) -> Payment:
    row, not_paid = fee.row, fee.is_not_applicable(facility=facility)
    total = row.facility_total if facility else row.office_total
    is_paid = not not_paid and total > 0
    basis = (
        worded(
            "status {status}, {total} RVU at ${factor}",
            status=row.status,
            total=str(total),
            factor=str(row.conversion_factor),
        )
        if is_paid
        else _why_not(row.status, not_paid)
    )
    return _payment(
        worded("facility (practitioner)") if facility else worded("office"),
        modifier,
        fee.amount(facility=facility) if is_paid else None,
        basis,
        fee.release,
        f"status {row.status}",
    )


def _why_not(status: str, not_paid: bool) -> str:
    if not_paid:
        return worded("status {status}, not applicable (NA)", status=status)
    return worded("status {status}, no relative values", status=status)


def _by_opps(code: str, snapshot: Snapshot) -> Iterator[Payment]:
    day = _newest(snapshot, "opps")
    found = snapshot.opps(code, day) if day else None
    if isinstance(found, OppsStatus):
        row = found.row
        status = worded("status {status}", status=row.status)
        basis = joined(", ", (status, f"APC {row.apc}")) if row.apc else status
        where = worded("hospital outpatient department")
        yield _payment(where, "", row.rate, basis, found.release, f"OPPS {row.status}")


def _payment(
    where: str, modifier: str, amount: Decimal | None, basis: str, release: Release, indicator: str
) -> Payment:
    rounded = None if amount is None else amount.quantize(_CENT, ROUND_HALF_UP)
    name = f"{release.title} ({release.file})"
    return Payment(where, modifier, rounded, basis, name, release.first, release.last, indicator)


def page_with_payments(
    page: CodePage, snapshot: Snapshot, meaning: Callable[[str], str]
) -> tuple[CodePage, tuple[Payment, ...]]:
    """A code's page with the amounts of the loaded tables among its short facts, and the amounts in full."""
    payments = payments_of(page.code, snapshot)
    return _with_payments(page, payments, meaning), payments


def _with_payments(page: CodePage, payments: tuple[Payment, ...], meaning: Callable[[str], str]) -> CodePage:
    """The page with the payments of loaded releases among its short facts, in place of those of the built-in tables."""
    if not payments:
        return page
    facts = tuple(Statement(_in_words(each, meaning), _cited(each)) for each in payments)
    topics = tuple(
        structs.replace(topic, facts=facts) if topic.id == PAYMENT else topic for topic in page.glance.topics
    )
    if all(topic.id != PAYMENT for topic in topics):
        topics = (*topics, Topic(PAYMENT, worded("Medicare payment"), facts))
    return structs.replace(page, glance=structs.replace(page.glance, topics=topics))


def _in_words(payment: Payment, meaning: Callable[[str], str]) -> str:
    words = meaning(payment.indicator)
    basis = joined(": ", (payment.basis, prose(words))) if words else payment.basis
    amount = worded("none") if payment.amount is None else fact(Money(payment.amount))
    subject = payment.where
    if payment.modifier:
        subject = worded("{where}, with {modifier}", where=payment.where, modifier=payment.modifier)
    text = worded("{where}: {amount} ({basis}).", where=subject, amount=amount, basis=basis)
    return capitalized(text)


def _cited(payment: Payment) -> Citation:
    days = worded("dates of service {first} to {last}", first=payment.first, last=payment.last)
    return Citation(source=payment.release, checked=days, verified_through=payment.last, confidence="seen")


def _newest(snapshot: Snapshot, kind: str) -> date | None:
    """The last day of service that a loaded release of a kind has."""
    return max((release.last for release in snapshot.releases if release.kind == kind), default=None)
