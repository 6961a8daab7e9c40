"""What became of the advice: counts from the stored cards, the feedback on them and the audit log.

Nothing here speaks of a patient: the store keeps none. A day is a day in UTC, a week begins on its Monday.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, case, cast, func, select

from cds_service.database.schema import AUDIT, FEEDBACK, ISSUED_CARDS

# The upper ends of what response times are sorted into, in milliseconds; the last has none.
STEPS = (2, 5, 10, 25, 50, 100, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class Filters:
    """What is counted: cards and calls of these days, both included, of all services and rules or of one."""

    first: date
    last: date
    service: str = ""
    rule: str = ""

    @property
    def weeks(self) -> tuple[date, ...]:
        """The Mondays of all weeks that are touched."""
        start, number = monday(self.first), (monday(self.last) - monday(self.first)).days // 7 + 1
        return tuple(start + timedelta(weeks=each) for each in range(number))


@dataclass(slots=True)
class Outcomes:
    """How many cards were accepted, overridden, or left without an answer."""

    accepted: int = 0
    overridden: int = 0
    ignored: int = 0

    @property
    def cards(self) -> int:
        """All cards."""
        return self.accepted + self.overridden + self.ignored

    def add(self, outcome: str, count: int) -> None:
        """Count cards by their outcome."""
        setattr(self, outcome, getattr(self, outcome) + count)


@dataclass(frozen=True, slots=True)
class Insights:
    """Everything that is counted. `cards` are by week, rule and service; `reasons` by rule and code.

    `not_checked` are by rule and kind of doubt; `times` are calls by the step of STEPS that they fit into.
    """

    calls: int
    silent: int
    cards: Mapping[tuple[date, str, str], Outcomes]
    reasons: Mapping[tuple[str, str], int]
    not_checked: Mapping[tuple[str, str], int]
    times: tuple[int, ...]

    def total(self) -> Outcomes:
        """All cards together."""
        return _sum(self.cards.values())

    def by_week(self, filters: Filters) -> dict[date, Outcomes]:
        """Every week of the filters, those without cards too."""
        return {week: _sum(each for (day, _, _), each in self.cards.items() if day == week) for week in filters.weeks}

    def by_rule(self) -> dict[str, Outcomes]:
        """Rules with cards, those with the most first."""
        rules = {rule for _, rule, _ in self.cards}
        sums = {rule: _sum(each for (_, of, _), each in self.cards.items() if of == rule) for rule in rules}
        return dict(sorted(sums.items(), key=lambda pair: (-pair[1].cards, pair[0])))

    def within(self, share: float) -> int | None:
        """The step of STEPS within which a share of the calls was answered; None where there are none, or beyond."""
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
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def gather(connection: Connection, filters: Filters) -> Insights:
    """Count in the database what the filters ask for."""
    calls = list(connection.execute(_calls(filters)))
    return Insights(
        calls=sum(count for _, count in calls),
        silent=sum(count for rules, count in calls if not json.loads(rules or "[]")),
        cards=_cards(connection, filters),
        reasons=_reasons(connection, filters),
        not_checked=_not_checked(connection, filters),
        times=_times(connection, filters),
    )


# --- cards ----------------------------------------------------------------------------------------------------------


def _cards(connection: Connection, filters: Filters) -> dict[tuple[date, str, str], Outcomes]:
    found: dict[tuple[date, str, str], Outcomes] = defaultdict(Outcomes)
    for day, rule, service, outcome, count in connection.execute(_cards_by_day(connection, filters)):
        found[monday(_as_date(day)), rule, service].add(outcome or "ignored", count)
    return dict(sorted(found.items()))


def _cards_by_day(connection: Connection, filters: Filters) -> Select[Any]:
    cards, answer = ISSUED_CARDS.c, _last_answer()
    day = _day(connection, cards.issued_at)
    return (
        select(day, cards.rule, cards.service, answer.c.outcome, func.count())
        .select_from(ISSUED_CARDS.outerjoin(answer, answer.c.card == cards.card))
        .where(*_issued(filters))
        .group_by(day, cards.rule, cards.service, answer.c.outcome)
    )


def _last_answer() -> Any:
    """The last that was said of each card: a user may override what was accepted before."""
    at = func.max(FEEDBACK.c.outcome_at).label("outcome_at")
    latest = select(FEEDBACK.c.card, at).group_by(FEEDBACK.c.card).subquery()
    joined = FEEDBACK.join(latest, and_(latest.c.card == FEEDBACK.c.card, latest.c.outcome_at == FEEDBACK.c.outcome_at))
    return select(FEEDBACK.c.card, FEEDBACK.c.outcome, FEEDBACK.c.reason_code).select_from(joined).subquery()


def _reasons(connection: Connection, filters: Filters) -> dict[tuple[str, str], int]:
    answer = _last_answer()
    query = (
        select(ISSUED_CARDS.c.rule, answer.c.reason_code, func.count())
        .select_from(ISSUED_CARDS.join(answer, answer.c.card == ISSUED_CARDS.c.card))
        .where(answer.c.outcome == "overridden", *_issued(filters))
        .group_by(ISSUED_CARDS.c.rule, answer.c.reason_code)
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
    """Calls are of a service, and of all rules at once."""
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
    """From the beginning of the first day to the end of the last, the latter not included."""
    start = datetime.combine(filters.first, time(), UTC)
    return start, datetime.combine(filters.last + timedelta(days=1), time(), UTC)


def _day(connection: Connection, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day in UTC; SQLite stores moments in UTC, PostgreSQL shows them in the zone of the session."""
    return func.date(moment if connection.dialect.name == "sqlite" else func.timezone("UTC", moment))


def _as_date(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _most_first(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
