"""Counts of cards, feedback and calls, from the stored cards, feedback and audit log.

The database has no patient data. Days are in UTC; weeks start on Monday.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, case, cast, func, or_, select

from cds_service.database.schema import AUDIT, FEEDBACK, ISSUED_CARDS, is_of_client

# Upper bounds of the response time buckets, in milliseconds; the last bucket is unbounded.
STEPS = (2, 5, 10, 25, 50, 100, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters for cards and calls: first and last day, both included, and optionally a service and a rule."""

    first: date
    last: date
    service: str = ""
    rule: str = ""

    @property
    def weeks(self) -> tuple[date, ...]:
        """The Mondays of all weeks in the period."""
        start, number = monday(self.first), (monday(self.last) - monday(self.first)).days // 7 + 1
        return tuple(start + timedelta(weeks=each) for each in range(number))


@dataclass(slots=True)
class Outcomes:
    """Numbers of cards that were accepted, overridden or ignored."""

    accepted: int = 0
    overridden: int = 0
    ignored: int = 0

    @property
    def cards(self) -> int:
        """The total number of cards."""
        return self.accepted + self.overridden + self.ignored

    def add(self, outcome: str, count: int) -> None:
        """Add a number of cards with an outcome."""
        setattr(self, outcome, getattr(self, outcome) + count)


@dataclass(frozen=True, slots=True)
class Insights:
    """All counts. `cards` are by week, rule and service, `reasons` by rule and reason code.

    `silent` are calls without findings, `not_checked` is by rule and kind of reason, `not_understood` are records by
    kind and code system, `times` are calls by bucket of STEPS.
    """

    calls: int
    silent: int
    cards: Mapping[tuple[date, str, str], Outcomes]
    reasons: Mapping[tuple[str, str], int]
    not_checked: Mapping[tuple[str, str], int]
    not_understood: Mapping[tuple[str, str], int]
    times: tuple[int, ...]

    def total(self) -> Outcomes:
        """The outcomes of all cards."""
        return _sum(self.cards.values())

    def by_week(self, filters: Filters) -> dict[date, Outcomes]:
        """The outcomes by week, including weeks without cards."""
        return {week: _sum(each for (day, _, _), each in self.cards.items() if day == week) for week in filters.weeks}

    def by_rule(self) -> dict[str, Outcomes]:
        """The outcomes by rule, most cards first."""
        rules = {rule for _, rule, _ in self.cards}
        sums = {rule: _sum(each for (_, of, _), each in self.cards.items() if of == rule) for rule in rules}
        return dict(sorted(sums.items(), key=lambda pair: (-pair[1].cards, pair[0])))

    def within(self, share: float) -> int | None:
        """The bound in STEPS within which a share of calls was answered; None without calls or beyond the last."""
        seen = 0
        for number, step in zip(self.times, STEPS, strict=False):
            seen += number
            if sum(self.times) and seen >= share * sum(self.times):
                return step
        return None


def _sum(parts: Iterable[Outcomes]) -> Outcomes:
    total = Outcomes()
    for each in parts:
        total.add("accepted", each.accepted)
        total.add("overridden", each.overridden)
        total.add("ignored", each.ignored)
    return total


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def gather(connection: Connection, filters: Filters) -> Insights:
    """Query all counts for the filters."""
    calls = list(connection.execute(_calls(filters)))
    return Insights(
        calls=sum(count for _, count in calls),
        silent=sum(count for rules, count in calls if not json.loads(rules or "[]")),
        cards=_cards(connection, filters),
        reasons=_reasons(connection, filters),
        not_checked=_not_checked(connection, filters),
        not_understood=_not_understood(connection, filters),
        times=_times(connection, filters),
    )


# --- cards ----------------------------------------------------------------------------------------------------------


def _cards(connection: Connection, filters: Filters) -> dict[tuple[date, str, str], Outcomes]:
    found: dict[tuple[date, str, str], Outcomes] = defaultdict(Outcomes)
    for day, rule, service, outcome, count in connection.execute(_cards_by_day(connection, filters)):
        found[monday(_as_date(day)), rule, service].add(outcome or "ignored", count)
    return dict(sorted(found.items()))


def _cards_by_day(connection: Connection, filters: Filters) -> Select[Any]:
    cards, latest = ISSUED_CARDS.c, _latest_feedback()
    day = _day(connection, cards.issued_at)
    return (
        select(day, cards.rule, cards.service, latest.c.outcome, func.count())
        .select_from(ISSUED_CARDS.outerjoin(latest, latest.c.card == cards.card))
        .where(*_issued(filters))
        .group_by(day, cards.rule, cards.service, latest.c.outcome)
    )


def _latest_feedback() -> Any:
    """The latest feedback of its client on each card: a user may override a card after accepting it."""
    own = _own_feedback()
    latest = select(own.c.card, func.max(own.c.outcome_at).label("outcome_at")).group_by(own.c.card).subquery()
    joined = own.join(latest, and_(latest.c.card == own.c.card, latest.c.outcome_at == own.c.outcome_at))
    return select(own.c.card, own.c.outcome, own.c.reason_code).select_from(joined).subquery()


def _own_feedback() -> Any:
    """Feedback of the client that the card was issued to."""
    cards, sent = ISSUED_CARDS.c, FEEDBACK.c
    is_own = or_(cards.client.is_(None), is_of_client(sent.client, cards.client))
    issued = FEEDBACK.join(ISSUED_CARDS, and_(sent.card == cards.card, is_own))
    return select(sent.card, sent.outcome, sent.outcome_at, sent.reason_code).select_from(issued).cte("own_feedback")


def _reasons(connection: Connection, filters: Filters) -> dict[tuple[str, str], int]:
    latest = _latest_feedback()
    query = (
        select(ISSUED_CARDS.c.rule, latest.c.reason_code, func.count())
        .select_from(ISSUED_CARDS.join(latest, latest.c.card == ISSUED_CARDS.c.card))
        .where(latest.c.outcome == "overridden", *_issued(filters))
        .group_by(ISSUED_CARDS.c.rule, latest.c.reason_code)
    )
    return _most_first({(rule, code or ""): count for rule, code, count in connection.execute(query)})


def _issued(filters: Filters) -> Iterator[ColumnElement[bool]]:
    start, end = _moments(filters)
    yield ISSUED_CARDS.c.issued_at >= start
    yield ISSUED_CARDS.c.issued_at < end
    if filters.service:
        yield ISSUED_CARDS.c.service == filters.service
    if filters.rule:
        yield ISSUED_CARDS.c.rule == filters.rule


# --- calls ----------------------------------------------------------------------------------------------------------


def _called(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The conditions for calls, which have a service but no single rule."""
    start, end = _moments(filters)
    yield AUDIT.c.action == "call"
    yield AUDIT.c.at >= start
    yield AUDIT.c.at < end
    if filters.service:
        yield AUDIT.c.service == filters.service


def _calls(filters: Filters) -> Select[str, int]:
    rules = cast(AUDIT.c.rules, Text)
    return select(rules, func.count()).where(*_called(filters)).group_by(rules)


def _not_checked(connection: Connection, filters: Filters) -> dict[tuple[str, str], int]:
    pairs = cast(AUDIT.c.not_checked, Text)
    query = select(pairs, func.count()).where(*_called(filters)).group_by(pairs)
    found: Counter[tuple[str, str]] = Counter()
    for written, count in connection.execute(query):
        for rule, why in json.loads(written or "[]") or []:
            if not filters.rule or rule == filters.rule:
                found[rule, why] += count
    return _most_first(found)


def _not_understood(connection: Connection, filters: Filters) -> dict[tuple[str, str], int]:
    counted = cast(AUDIT.c.not_understood, Text)
    query = select(counted, func.count()).where(*_called(filters)).group_by(counted)
    found: Counter[tuple[str, str]] = Counter()
    for written, calls in connection.execute(query):
        for kind, system, records in json.loads(written or "[]") or []:
            found[kind, system] += records * calls
    return _most_first(found)


def _times(connection: Connection, filters: Filters) -> tuple[int, ...]:
    steps = [(AUDIT.c.milliseconds <= step, position) for position, step in enumerate(STEPS)]
    step_of = case(*steps, else_=len(STEPS))
    query = select(step_of, func.count()).where(AUDIT.c.milliseconds.is_not(None), *_called(filters)).group_by(step_of)
    found: Counter[int] = Counter()
    for step, count in connection.execute(query):
        found[step] += count
    return tuple(found[position] for position in range(len(STEPS) + 1))


# --- time -----------------------------------------------------------------------------------------------------------


def _moments(filters: Filters) -> tuple[datetime, datetime]:
    """The start of the first day, and the exclusive end of the last."""
    start = datetime.combine(filters.first, time(), UTC)
    return start, datetime.combine(filters.last + timedelta(days=1), time(), UTC)


def _day(connection: Connection, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day in UTC: SQLite stores UTC, but PostgreSQL returns times in the session's time zone."""
    return func.date(moment if connection.dialect.name == "sqlite" else func.timezone("UTC", moment))


def _as_date(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _most_first(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
