"""The report: one HTML page that needs nothing else, in the look of the reference pages."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cds_service.audit.charts import pareto, trend
from cds_service.audit.summary import DRILL_DOWN_ROWS

_FOLDER = Path(__file__).parent / "templates"
_STYLE = Path(__file__).parents[1] / "web" / "static" / "reference.css"

# What the findings are counted by, and what stands over each table.
_TABLES = {
    "site": "By site",
    "practitioner": "By practitioner",
    "product": "By contrast product",
    "payer": "By payer",
    "setting": "By kind of claim",
    "month": "By month of service",
}
_LONGEST_TABLE = 25


def render(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The page for a summary and the findings that weigh most."""
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"count": lambda number: f"{int(number):,}", "money": _money}
    styles = _STYLE.read_text(encoding="utf-8") + (_FOLDER / "report.css").read_text(encoding="utf-8")
    series = {question["text"]: question["rules"] for question in summary["questions"]}
    months = [each for each in summary["trend"] if each["month"][:1].isdigit()]
    return environment.get_template(
        "report.html"
    ).render(
        summary=summary,
        rows=rows,
        most=DRILL_DOWN_ROWS,
        styles=Markup(styles),  # noqa: S704  # our own files
        script=Markup((_FOLDER / "report.js").read_text(encoding="utf-8")),  # noqa: S704
        pareto=pareto(summary["by"]["rule"]),
        trend=trend(months, series),
        months=months,
        tables=[
            (title, summary["by"][name][:_LONGEST_TABLE], len(summary["by"][name])) for name, title in _TABLES.items()
        ],
        valued=bool(summary["about"]["fees"]),
        titles={rule: each["title"] for rule, each in summary["rules"].items()},
        overdue=_overdue(summary, months),
    )


def _money(value: Decimal | float | None) -> str:
    return "-" if not value else f"{'-' if value < 0 else ''}${abs(value):,.0f}"


def _overdue(summary: Mapping[str, Any], months: Sequence[Mapping[str, Any]]) -> set[str]:
    """Tables of which no source was verified through the last month that was audited."""
    last = months[-1]["month"] if months else ""
    return {
        name
        for name, table in summary["tables"].items()
        if all(source["verifiedThrough"][:7] < last for source in table["sources"])
    }
