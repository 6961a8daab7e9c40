"""`/insights`: what became of the advice, for whoever looks after the service; as a page and as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request

from cds_service.core.rules import Rule
from cds_service.database.connections import Database
from cds_service.database.insights import STEPS, Filters, Insights, Outcomes, gather
from cds_service.errors import BadRequest, StoreUnavailable
from cds_service.web.charts import stacked
from cds_service.web.reference import CONTENT_SECURITY_POLICY
from cds_service.web.responses import outcome

_PERIODS = {4: "4 weeks", 12: "12 weeks", 26: "half a year", 52: "a year"}
_USUAL = 12

# Why a rule could not decide, as people say it.
_DOUBTS = {
    "table": "the tables do not reach the date of service",
    "record": "the record did not come whole, or leaves it open",
    "studies": "it could belong to one of several studies",
    "contradiction": "record and charges contradict one another",
    "claim": "the claim does not say what is needed",
}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A row of a table with a bar: how long it is in hundredths of the longest, and its parts in hundredths of it."""

    name: str
    about: str
    count: int
    length: float
    parts: tuple[tuple[str, float, float], ...] = ()
    outcomes: Outcomes | None = None


def blueprint(database: Database, rules: tuple[Rule, ...], services: tuple[str, ...]) -> Blueprint:
    """The routes of the insights."""
    routes = Blueprint("insights", __name__, template_folder="templates")
    reasons = {reason.code: reason.display for rule in rules for reason in rule.override_reasons}

    def counted() -> tuple[Filters, Insights]:
        filters = _filters({rule.id for rule in rules}, set(services))
        return filters, database.run(lambda connection: gather(connection, filters))

    @routes.get("/insights")
    def page() -> Response:
        try:
            filters, found = counted()
        except StoreUnavailable as error:
            return _page("insights/down.html", 503, reason=error.message)
        return _page(
            "insights/page.html",
            filters=filters,
            weeks=_weeks(),
            periods=_PERIODS,
            rules=[rule.id for rule in rules],
            services=services,
            found=found,
            total=found.total(),
            plot=_by_week(filters, found),
            by_rule=list(_by_rule(found)),
            reasons=list(_reasons(found, reasons)),
            doubts=list(_doubts(found)),
            times=list(_times(found)),
        )

    @routes.get("/insights/<what>.csv")
    def table(what: str) -> Response:
        filters, found = counted()
        rows = _TABLES[what](found, filters) if what in _TABLES else None
        if rows is None:
            return outcome(404, "not-found", f"expected one of {', '.join(_TABLES)}")
        response = Response(_as_csv(rows), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{what}.csv"'
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return routes


def _page(template: str, status: int = 200, **content: Any) -> Response:
    response = Response(render_template(template, **content), status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


def _filters(rules: set[str], services: set[str]) -> Filters:
    """What the address asks for. Raises BadRequest that names the part at fault."""
    rule, service = request.args.get("rule", ""), request.args.get("service", "")
    if rule and rule not in rules:
        raise BadRequest("`rule`: expected the id of a rule", "rule")
    if service and service not in services:
        raise BadRequest("`service`: expected the id of a service", "service")
    today = datetime.now(UTC).date()
    return Filters(today - timedelta(weeks=_weeks()) + timedelta(days=1), today, service, rule)


def _weeks() -> int:
    text = request.args.get("weeks", str(_USUAL))
    if text not in {str(weeks) for weeks in _PERIODS}:
        raise BadRequest(f"`weeks`: expected one of {', '.join(map(str, _PERIODS))}", "weeks")
    return int(text)


# --- plots and bars -------------------------------------------------------------------------------------------------


def _by_week(filters: Filters, found: Insights) -> Any:
    weeks = found.by_week(filters)
    total = found.total()
    about = f"Cards by week: {total.accepted} accepted, {total.overridden} set aside, {total.ignored} without an answer"
    series = [
        ("accepted", [each.accepted for each in weeks.values()]),
        ("set aside", [each.overridden for each in weeks.values()]),
        ("no answer", [each.ignored for each in weeks.values()]),
    ]
    return stacked([f"{day:%b} {day.day}" for day in weeks], series, about)


def _by_rule(found: Insights) -> Iterator[_Bar]:
    rules = found.by_rule()
    most = max((each.cards for each in rules.values()), default=0)
    for rule, each in rules.items():
        shares = (("accepted", each.accepted), ("overridden", each.overridden), ("ignored", each.ignored))
        yield _Bar(rule, "", each.cards, 100 * each.cards / most, tuple(_laid_out(shares, most)), each)


def _laid_out(shares: Iterable[tuple[str, int]], most: int) -> Iterator[tuple[str, float, float]]:
    """Each part's name, where it begins and how long it is, in hundredths of the longest bar."""
    begin = 0.0
    for name, count in shares:
        yield name, round(begin, 2), round(100 * count / most, 2)
        begin += 100 * count / most


def _reasons(found: Insights, names: Mapping[str, str]) -> Iterator[_Bar]:
    """Each reason with the rules whose cards were set aside for it, the reason with the most cards first."""
    rules: dict[str, list[tuple[str, int]]] = {}
    for (rule, code), count in found.reasons.items():
        rules.setdefault(code, []).append((rule, count))
    counts = {code: sum(count for _, count in each) for code, each in rules.items()}
    for code in sorted(counts, key=lambda each: -counts[each]):
        about = ", ".join(f"{rule} {count}" for rule, count in rules[code])
        yield _bar(names.get(code, code) or "No reason was given", counts[code], counts.values(), about)


def _doubts(found: Insights) -> Iterator[_Bar]:
    for (rule, why), count in found.not_checked.items():
        yield _bar(rule, count, found.not_checked.values(), _DOUBTS.get(why, why))


def _times(found: Insights) -> Iterator[_Bar]:
    """The steps up to the longest call."""
    last = max((position for position, count in enumerate(found.times) if count), default=-1)
    for name, count in list(zip(_STEP_NAMES, found.times, strict=True))[: last + 1]:
        yield _bar(f"{name} ms", count, found.times)


def _bar(name: str, count: int, every: Iterable[int], about: str = "") -> _Bar:
    return _Bar(name, about, count, round(100 * count / max(every), 2))


_STEP_NAMES = [*(f"up to {step}" for step in STEPS), f"more than {STEPS[-1]}"]


# --- CSV ------------------------------------------------------------------------------------------------------------

Rows = Iterator[tuple[object, ...]]


def _cards_csv(found: Insights, _: Filters) -> Rows:
    yield "week", "rule", "service", "cards", "accepted", "overridden", "without an answer"
    for (week, rule, service), each in found.cards.items():
        yield week, rule, service, each.cards, each.accepted, each.overridden, each.ignored


def _reasons_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "rule", "reason", "cards"
    yield from _with_days(found.reasons, filters)


def _doubts_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "rule", "why it could not decide", "calls"
    yield from _with_days(found.not_checked, filters)


def _with_days(counts: Mapping[tuple[str, str], int], filters: Filters) -> Iterator[tuple[date, date, str, str, int]]:
    for (rule, what), count in counts.items():
        yield filters.first, filters.last, rule, what, count


def _times_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "milliseconds", "calls"
    for name, count in zip(_STEP_NAMES, found.times, strict=True):
        yield filters.first, filters.last, name, count


_TABLES = {"cards": _cards_csv, "reasons": _reasons_csv, "not-checked": _doubts_csv, "times": _times_csv}


def _as_csv(rows: Iterable[tuple[object, ...]]) -> str:
    """RFC 4180. A text that a spreadsheet would take for a formula is marked as text: clients choose reason codes."""
    written = io.StringIO()
    writer = csv.writer(written)
    for row in rows:
        writer.writerow([f"'{cell}" if str(cell)[:1] in set("=+-@\t\r") else cell for cell in row])
    return written.getvalue()
