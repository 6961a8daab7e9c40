"""The summary of a run: counts by dimension, from SQL queries that DuckDB and Spark both support."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cds_service.audit.charged_systems import ReadCharges, why_no_case
from cds_service.audit.knowledge import Question

# Runs a query over the tables `findings`, `counts` and `left_out`; one mapping per row.
RunQuery = Callable[[str], list[dict[str, Any]]]

DIMENSIONS = ("rule", "month", "site", "practitioner", "product", "payer", "setting")
DRILL_DOWN_ROWS = 1000

_AMOUNTS = """count(*) AS findings,
 sum(CASE WHEN indicator = 'warning' THEN 1 ELSE 0 END) AS warnings,
 sum(CASE WHEN direction = 'under' THEN 1 ELSE 0 END) AS under,
 sum(CASE WHEN direction = 'over' THEN 1 ELSE 0 END) AS over_,
 sum(CASE WHEN value > 0 THEN value ELSE 0 END) AS under_value,
 sum(CASE WHEN value < 0 THEN -value ELSE 0 END) AS over_value,
 sum(CASE WHEN value IS NULL AND direction <> 'none' THEN 1 ELSE 0 END) AS unvalued"""


@dataclass(frozen=True, slots=True)
class Run:
    """The head of the summary, as plain data. `facts` are counts of what was read and reviewed.

    `charges` reads charges and claims of the export again; it is used only if no case was about an echo.
    """

    about: Mapping[str, Any]
    facts: Mapping[str, Any]
    rejects: Mapping[str, int]
    rules: Mapping[str, Any]
    tables: Mapping[str, Any]
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = field(default=())
    charges: ReadCharges = field(default=lambda _: ())


def summarize(run: Run, query: RunQuery) -> dict[str, Any]:
    """The summary of a run, as written to `summary.json`."""
    by_rule = _by("rule", query)
    reviewed = _counted("reviewed", query)
    why_none = () if reviewed else (why_no_case(run.facts["types"], run.charges),)
    return {
        "about": dict(run.about),
        "facts": dict(run.facts) | {"reviewed": reviewed, "empty": _counted("empty", query)},
        "total": _total(by_rule),
        "questions": [_answer(question, by_rule) for question in run.questions],
        "by": {dimension: by_rule if dimension == "rule" else _by(dimension, query) for dimension in DIMENSIONS},
        "trend": _trend(query),
        "passed": _rows(query(_PASSED)),
        "notChecked": _rows(query(_NOT_CHECKED)),
        "rejects": [{"reason": reason, "lines": lines} for reason, lines in sorted(run.rejects.items())],
        "leftOut": _rows(query(_LEFT_OUT)),
        "rules": dict(run.rules),
        "tables": dict(run.tables),
        "notes": [*why_none, *run.notes],
    }


_PASSED = """SELECT rule, sum(cases) AS cases, sum(CASE WHEN reason <> '' THEN cases ELSE 0 END) AS nothing_there
 FROM counts WHERE outcome = 'passed' GROUP BY rule ORDER BY rule"""
_NOT_CHECKED = """SELECT rule, reason, sum(cases) AS cases FROM counts WHERE outcome = 'not checked'
 GROUP BY rule, reason ORDER BY cases DESC, rule, reason"""
_LEFT_OUT = """SELECT reason, count(*) AS records FROM left_out GROUP BY reason ORDER BY records DESC, reason"""
_REVIEWED = """SELECT month, sum(cases) AS cases FROM counts WHERE outcome = 'reviewed' GROUP BY month ORDER BY month"""
_BY_MONTH = """SELECT month, rule, count(*) AS findings FROM findings GROUP BY month, rule ORDER BY month, rule"""
DRILL_DOWN = f"""SELECT * FROM findings
 ORDER BY CASE WHEN indicator = 'warning' THEN 0 ELSE 1 END, abs(coalesce(value, 0)) DESC, rule, day NULLS LAST, id
 LIMIT {DRILL_DOWN_ROWS}"""  # noqa: S608


def _counted(outcome: str, query: RunQuery) -> int:
    """The cases with an outcome of the case itself: `reviewed` or `empty`."""
    rows = query(f"SELECT sum(cases) AS cases FROM counts WHERE outcome = '{outcome}'")  # noqa: S608
    return sum(int(row["cases"] or 0) for row in rows)


def _by(dimension: str, query: RunQuery) -> list[dict[str, Any]]:
    """Findings by one dimension, most frequent first; months in order."""
    order = "name" if dimension == "month" else "findings DESC, name"
    statement = f"SELECT coalesce({dimension}, '') AS name, {_AMOUNTS} FROM findings GROUP BY 1 ORDER BY {order}"  # noqa: S608
    return [_renamed(row) for row in _rows(query(statement))]


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    names = {"over_": "over", "under_value": "underValue", "over_value": "overValue"}
    return {names.get(name, name): value for name, value in row.items()}


def _rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with sums as integers and amounts as decimals with two places."""
    return [{name: _number(name, value) for name, value in row.items()} for row in rows]


def _number(name: str, value: Any) -> Any:
    if name.endswith("_value"):
        return Decimal(value or 0).quantize(Decimal("0.01"))
    return int(value) if isinstance(value, Decimal | float) else value


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("findings", "warnings", "under", "over", "underValue", "overValue", "unvalued")
    return {name: sum((row[name] for row in rows), Decimal("0.00") if name.endswith("Value") else 0) for name in names}


def _answer(question: Question, by_rule: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [row for row in by_rule if row["name"] in question.rules]
    return {"text": question.text, "rules": list(question.rules), **_total(rows)}


def _trend(query: RunQuery) -> list[dict[str, Any]]:
    """Cases reviewed and findings by rule, for each month."""
    reviewed = {row["month"]: int(row["cases"]) for row in query(_REVIEWED)}
    found: dict[str, dict[str, int]] = {}
    for row in query(_BY_MONTH):
        found.setdefault(row["month"], {})[row["rule"]] = int(row["findings"])
    return [
        {"month": month, "cases": reviewed.get(month, 0), "findings": found.get(month, {})}
        for month in sorted(reviewed.keys() | found.keys())
    ]
