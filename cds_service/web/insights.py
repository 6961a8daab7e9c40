"""`/insights`: outcomes of cards, undecided rules, records not understood and response times, for operators.

A page, and each of its tables as CSV.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from cds_service.charts import Columns, columns, row_bar
from cds_service.core.concepts import MODIFIER, NO_SYSTEM, REFERENCE
from cds_service.core.rules import Rule
from cds_service.core.system_names import SYSTEM_NAMES
from cds_service.database.connections import Database
from cds_service.database.insights import STEPS, Filters, Insights, Outcomes, gather
from cds_service.errors import BadRequest, StoreUnavailable
from cds_service.web import page_headers
from cds_service.web.responses import outcome

_PERIODS = {4: "4 weeks", 12: "12 weeks", 26: "26 weeks", 52: "52 weeks"}
_DEFAULT_WEEKS = 12

# The kinds of `why` in plain words.
_UNDECIDED_REASONS = {
    "table": "the code tables do not cover the date of service",
    "record": "the record is incomplete or inconclusive",
    "studies": "the record could belong to more than one study",
    "contradiction": "the record and the charges contradict each other",
    "claim": "the claim lacks required information",
    "not-understood": "a code, drug, payer or date was not understood",
}


_RECORD_KINDS = {
    "charge": "Charges",
    "drug": "Administrations",
    "procedure": "Procedures",
    "material": "Materials used",
    "order": "Orders",
    "payer": "Payers",
    "modifier": "Modifiers",
    "units": "Units",
}
_SYSTEM_NAMES = SYSTEM_NAMES | {
    REFERENCE: "references to resources that were not sent",
    MODIFIER: "modifiers in an unknown form",
    NO_SYSTEM: "without a code or a code system",
}

# The code systems that are no sender's own; as labels of metrics they are few.
KNOWN_SYSTEMS = frozenset(_SYSTEM_NAMES)


@dataclass(frozen=True, slots=True)
class _Row:
    """A table row with its bar; `outcomes` are the parts of a rule's bar."""

    name: str
    detail: str
    count: int
    bar: Markup
    outcomes: Outcomes | None = None


def blueprint(database: Database, rules: tuple[Rule, ...], services: tuple[str, ...]) -> Blueprint:
    """The routes of the insights."""
    routes = Blueprint("insights", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)
    reason_names = {reason.code: reason.display for rule in rules for reason in rule.override_reasons}

    def filtered() -> tuple[Filters, Insights]:
        filters = _filters({rule.id for rule in rules}, set(services))
        return filters, database.read(lambda connection: gather(connection, filters))

    @routes.get("/insights")
    def page() -> Response:
        try:
            filters, found = filtered()
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
            chart=_chart_by_week(filters, found),
            by_rule=list(_by_rule(found)),
            reasons=list(_reasons(found, reason_names)),
            undecided=list(_undecided(found)),
            not_understood=list(_not_understood(found)),
            times=list(_times(found)),
        )

    @routes.get("/insights/<what>.csv")
    def table(what: str) -> Response:
        filters, found = filtered()
        rows = _TABLES[what](found, filters) if what in _TABLES else None
        if rows is None:
            return outcome(404, "not-found", f"expected one of {', '.join(_TABLES)}")
        response = Response(_as_csv(rows), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{what}.csv"'
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes


def _page(template: str, status: int = 200, **content: Any) -> Response:
    response = Response(render_template(template, **content), status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


def _filters(rules: set[str], services: set[str]) -> Filters:
    """The filters of the query string. Raises BadRequest naming the invalid parameter."""
    rule, service = request.args.get("rule", ""), request.args.get("service", "")
    if rule and rule not in rules:
        raise BadRequest("`rule`: expected the id of a rule", "rule")
    if service and service not in services:
        raise BadRequest("`service`: expected the id of a service", "service")
    today = datetime.now(UTC).date()
    return Filters(today - timedelta(weeks=_weeks()) + timedelta(days=1), today, service, rule)


def _weeks() -> int:
    text = request.args.get("weeks", str(_DEFAULT_WEEKS))
    if text not in {str(weeks) for weeks in _PERIODS}:
        raise BadRequest(f"`weeks`: expected one of {', '.join(map(str, _PERIODS))}", "weeks")
    return int(text)


# --- charts and rows ------------------------------------------------------------------------------------------------


def _chart_by_week(filters: Filters, found: Insights) -> Markup:
    weeks = found.by_week(filters)
    total = found.total()
    label = f"Cards by week: {total.accepted} accepted, {total.overridden} overridden, {total.ignored} no feedback"
    counts = {
        "accepted": [each.accepted for each in weeks.values()],
        "overridden": [each.overridden for each in weeks.values()],
        "no feedback": [each.ignored for each in weeks.values()],
    }
    return columns(Columns([f"{day:%b} {day.day}" for day in weeks], counts), label)


def _by_rule(found: Insights) -> Iterator[_Row]:
    rules = found.by_rule()
    most = max((each.cards for each in rules.values()), default=0)
    for rule, each in rules.items():
        yield _Row(rule, "", each.cards, row_bar((each.accepted, each.overridden, each.ignored), most), each)


def _reasons(found: Insights, names: Mapping[str, str]) -> Iterator[_Row]:
    """Override reasons, the most frequent first, each with the rules whose cards were overridden for it."""
    rules: dict[str, list[tuple[str, int]]] = {}
    for (rule, code), count in found.reasons.items():
        rules.setdefault(code, []).append((rule, count))
    counts = {code: sum(count for _, count in each) for code, each in rules.items()}
    for code in sorted(counts, key=lambda each: -counts[each]):
        detail = ", ".join(f"{rule} {count}" for rule, count in rules[code])
        yield _row(names.get(code, code) or "No reason given", counts[code], counts.values(), detail)


def _undecided(found: Insights) -> Iterator[_Row]:
    for (rule, why), count in found.not_checked.items():
        yield _row(rule, count, found.not_checked.values(), _UNDECIDED_REASONS.get(why, why))


def _not_understood(found: Insights) -> Iterator[_Row]:
    for (kind, system), count in found.not_understood.items():
        name = _RECORD_KINDS.get(kind, kind)
        yield _row(name, count, found.not_understood.values(), _SYSTEM_NAMES.get(system, system))


def _times(found: Insights) -> Iterator[_Row]:
    """Response times by step, up to the longest call."""
    last = max((position for position, count in enumerate(found.times) if count), default=-1)
    for name, count in list(zip(_STEP_NAMES, found.times, strict=True))[: last + 1]:
        yield _row(f"{name} ms", count, found.times)


def _row(name: str, count: int, counts: Iterable[int], detail: str = "") -> _Row:
    return _Row(name, detail, count, row_bar((count,), max(counts)))


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


def _undecided_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "rule", "why it could not decide", "calls"
    yield from _with_days(found.not_checked, filters)


def _not_understood_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "kind", "code system", "records"
    yield from _with_days(found.not_understood, filters)


def _with_days(counts: Mapping[tuple[str, str], int], filters: Filters) -> Iterator[tuple[date, date, str, str, int]]:
    for (rule, key), count in counts.items():
        yield filters.first, filters.last, rule, key, count


def _times_csv(found: Insights, filters: Filters) -> Rows:
    yield "from", "to", "milliseconds", "calls"
    for name, count in zip(_STEP_NAMES, found.times, strict=True):
        yield filters.first, filters.last, name, count


_TABLES = {
    "cards": _cards_csv,
    "reasons": _reasons_csv,
    "not-checked": _undecided_csv,
    "not-understood": _not_understood_csv,
    "times": _times_csv,
}


def _as_csv(rows: Iterable[tuple[object, ...]]) -> str:
    """CSV by RFC 4180. Cells that a spreadsheet would run as formulas are quoted: clients choose reason codes."""
    written = io.StringIO()
    writer = csv.writer(written)
    for row in rows:
        writer.writerow([f"'{cell}" if str(cell)[:1] in set("=+-@\t\r") else cell for cell in row])
    return written.getvalue()
