"""`/insights`: outcomes of cards, undecided rules, records not understood and response times, for operators.

A page, and each of its tables as CSV.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, request
from markupsafe import Markup

from cds_service.charts import Columns, Notation, columns, row_bar
from cds_service.core.concepts import BILLING, MODIFIER, NO_SYSTEM, REFERENCE, REVENUE
from cds_service.core.rules import Rule
from cds_service.core.system_names import SYSTEM_NAMES
from cds_service.database.connections import Database
from cds_service.database.insights import STEPS, Filters, Insights, Outcomes, gather
from cds_service.errors import BadRequest, StoreUnavailable
from cds_service.languages.messages import Quantity, Value
from cds_service.languages.speech import Speech
from cds_service.languages.worded import counted, joined, name, worded
from cds_service.web import languages, page_headers, spoken
from cds_service.web.responses import outcome

_PERIODS = {weeks: counted("Last {count} week", "Last {count} weeks", weeks) for weeks in (4, 12, 26, 52)}
_DEFAULT_WEEKS = 12

# The kinds of `why` in plain words.
_UNDECIDED_REASONS = {
    "table": worded("the code tables do not cover the date of service"),
    "record": worded("the record is incomplete or inconclusive"),
    "studies": worded("the record could belong to more than one study"),
    "contradiction": worded("the record and the charges contradict each other"),
    "claim": worded("the claim lacks required information"),
    "not-understood": worded("a code, drug, payer or date was not understood"),
}


_RECORD_KINDS = {
    "charge": worded("Charges"),
    "drug": worded("Administrations"),
    "procedure": worded("Procedures"),
    "material": worded("Materials used"),
    "order": worded("Orders"),
    "payer": worded("Payers"),
    "modifier": worded("Modifiers"),
    "units": worded("Units"),
}
# Systems have names of their own, the same in every language, but for some that are described.
_SYSTEM_NAMES = {system: name(own) for system, own in SYSTEM_NAMES.items()} | {
    BILLING: worded("CPT or HCPCS"),
    REVENUE: worded("revenue codes"),
    REFERENCE: worded("references to resources that were not sent"),
    MODIFIER: worded("modifiers in an unknown form"),
    NO_SYSTEM: worded("without a code or a code system"),
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


@dataclass(frozen=True, slots=True)
class _Section:
    """A table of counts: its id, the CSV with the same counts, title, heads, rows, and what is said without rows."""

    id: str
    csv: str
    title: str
    heads: tuple[str, str]
    rows: list[_Row]
    nothing: str


def blueprint(
    database: Database, rules: tuple[Rule, ...], services: tuple[str, ...], speaker: spoken.Speaker
) -> Blueprint:
    """The routes of the insights."""
    routes = Blueprint("insights", __name__, template_folder="templates")
    page_headers.register(routes, page_headers.WITHOUT_SCRIPTS)
    languages.require_known(routes)
    reason_names = {reason.code: reason.display for rule in rules for reason in rule.override_reasons}

    def filtered() -> tuple[Filters, Insights]:
        filters = _filters({rule.id for rule in rules}, set(services))
        return filters, database.read(lambda connection: gather(connection, filters))

    @routes.get("/insights")
    def page() -> Response:
        spoken.speak(languages.requested())
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
            chart=_chart_by_week(filters, found, speaker.speech()),
            by_rule=list(_by_rule(found)),
            sections={each.id: each for each in _sections(found, reason_names)},
            timed=_timed(found),
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
    response = spoken.page(template, status, **content)
    response.headers["Cache-Control"] = "no-store"
    return response


def _filters(rules: set[str], services: set[str]) -> Filters:
    """The filters of the query string. Raises BadRequest naming the invalid parameter."""
    rule, service = request.args.get("rule", ""), request.args.get("service", "")
    if rule and rule not in rules:
        raise BadRequest("`rule`: expected the id of a rule", "rule")
    if service and service not in services:
        raise BadRequest("`service`: expected the id of a service", "service")
    last = today()
    return Filters(last - timedelta(weeks=_weeks()) + timedelta(days=1), last, service, rule)


def today() -> date:
    """The last day that is counted."""
    return datetime.now(UTC).date()


def _weeks() -> int:
    text = request.args.get("weeks", str(_DEFAULT_WEEKS))
    if text not in {str(weeks) for weeks in _PERIODS}:
        raise BadRequest(f"`weeks`: expected one of {', '.join(map(str, _PERIODS))}", "weeks")
    return int(text)


# --- charts and rows ------------------------------------------------------------------------------------------------


def _chart_by_week(filters: Filters, found: Insights, speech: Speech) -> Markup:
    weeks = found.by_week(filters)
    total = found.total()
    label = worded(
        "Cards by week: {accepted} accepted, {overridden} overridden, {ignored} no feedback",
        accepted=total.accepted,
        overridden=total.overridden,
        ignored=total.ignored,
    )
    counts = {
        worded("accepted"): [each.accepted for each in weeks.values()],
        worded("overridden"): [each.overridden for each in weeks.values()],
        worded("no feedback"): [each.ignored for each in weeks.values()],
    }
    series = {speech.labeled(each): numbers for each, numbers in counts.items()}
    notation = Notation(speech.amount, speech.percent)
    return columns(Columns([speech.short_day(day) for day in weeks], series), speech.labeled(label), notation)


def _by_rule(found: Insights) -> Iterator[_Row]:
    rules = found.by_rule()
    most = max((each.cards for each in rules.values()), default=0)
    for rule, each in rules.items():
        yield _Row(rule, "", each.cards, row_bar((each.accepted, each.overridden, each.ignored), most), each)


def _sections(found: Insights, reasons: Mapping[str, str]) -> Iterator[_Section]:
    """The tables below the cards, in the order of the page."""
    yield _Section(
        "reasons",
        "reasons",
        worded("Override reasons"),
        (worded("Reason"), worded("Cards")),
        list(_reasons(found, reasons)),
        worded("No card was overridden."),
    )
    yield _Section(
        "undecided",
        "not-checked",
        worded("Rules not checked"),
        (worded("Rule"), worded("Calls")),
        list(_undecided(found)),
        worded("Every rule was checked on every call."),
    )
    yield _Section(
        "not-understood",
        "not-understood",
        worded("Not understood"),
        (worded("Kind of record and code system"), worded("Records")),
        list(_not_understood(found)),
        worded("Every record was understood."),
    )
    yield _Section(
        "times",
        "times",
        worded("Response times"),
        (worded("Time"), worded("Calls")),
        list(_times(found)),
        worded("No call was timed."),
    )


def _reasons(found: Insights, names: Mapping[str, str]) -> Iterator[_Row]:
    """Override reasons, the most frequent first, each with the rules whose cards were overridden for it."""
    rules: dict[str, list[tuple[str, int]]] = {}
    for (rule, code), count in found.reasons.items():
        rules.setdefault(code, []).append((rule, count))
    counts = {code: sum(count for _, count in each) for code, each in rules.items()}
    for code in sorted(counts, key=lambda each: -counts[each]):
        detail = joined(", ", (joined(" ", pair) for pair in rules[code]))
        # Clients choose codes too, which are shown as they are.
        reason = names.get(code) or (name(code) if code else worded("No reason given"))
        yield _row(reason, counts[code], counts.values(), detail)


def _undecided(found: Insights) -> Iterator[_Row]:
    for (rule, why), count in found.not_checked.items():
        yield _row(name(rule), count, found.not_checked.values(), _UNDECIDED_REASONS.get(why, name(why)))


def _not_understood(found: Insights) -> Iterator[_Row]:
    for (kind, system), count in found.not_understood.items():
        of_kind, of_system = _RECORD_KINDS.get(kind, name(kind)), _SYSTEM_NAMES.get(system, name(system))
        yield _row(of_kind, count, found.not_understood.values(), of_system)


def _times(found: Insights) -> Iterator[_Row]:
    """Response times by step, up to the longest call."""
    last = max((position for position, count in enumerate(found.times) if count), default=-1)
    for step, count in list(zip(_STEPS_IN_WORDS, found.times, strict=True))[: last + 1]:
        yield _row(step, count, found.times)


def _timed(found: Insights) -> str:
    """The times within which half of the calls and nearly all were answered; empty if even half took longer."""
    half, most = found.within(0.5), found.within(0.95)
    if half is None:
        return ""
    if most is None:
        return worded("Half of the calls were answered within {time}.", time=_milliseconds(half))
    return worded(
        "Half of the calls were answered within {time}, 95% within {later}.",
        time=_milliseconds(half),
        later=_milliseconds(most),
    )


def _row(title: str, count: int, counts: Iterable[int], detail: str = "") -> _Row:
    return _Row(title, detail, count, row_bar((count,), max(counts)))


def _milliseconds(step: int) -> Value:
    return Quantity(Decimal(step), "ms")


_STEPS_IN_WORDS = [
    *(worded("up to {time}", time=_milliseconds(step)) for step in STEPS),
    worded("more than {time}", time=_milliseconds(STEPS[-1])),
]
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
    for step, count in zip(_STEP_NAMES, found.times, strict=True):
        yield filters.first, filters.last, step, count


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
