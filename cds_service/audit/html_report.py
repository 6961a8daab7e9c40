"""The HTML report: one self-contained page in the style of the reference pages."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cds_service.charts import Columns, columns, pareto

_FOLDER = Path(__file__).parent / "templates"
_STYLE = Path(__file__).parents[1] / "web" / "static" / "reference.css"

# The tables of findings: dimension and title.
_TABLES = {
    "site": "By site",
    "practitioner": "By practitioner",
    "product": "By contrast product",
    "payer": "By payer",
    "setting": "By claim type",
    "month": "By month of service",
}
_LONGEST_TABLE = 25
_OTHER_RULES = "all other rules"


def render(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The page for a summary and its most important findings."""
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"count": lambda number: f"{int(number):,}", "money": _money}
    styles = _STYLE.read_text(encoding="utf-8") + (_FOLDER / "report.css").read_text(encoding="utf-8")
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    months = [each for each in summary["trend"] if each["month"][:1].isdigit()]
    return environment.get_template(
        "report.html"
    ).render(
        summary=summary,
        rows=rows,
        styles=Markup(styles),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704
        policy=_policy(styles, script),
        by_rule=_by_rule(summary),
        by_month=_by_month(summary, months),
        series=[*(question["text"] for question in summary["questions"]), _OTHER_RULES],
        months=months,
        tables=[
            (title, summary["by"][name][:_LONGEST_TABLE], len(summary["by"][name])) for name, title in _TABLES.items()
        ],
        valued=bool(summary["about"]["fees"]),
        titles={rule: each["title"] for rule, each in summary["rules"].items()},
        overdue=_overdue(summary, months),
    )


def _policy(styles: str, script: str) -> str:
    """The page's content security policy: its own style and script by their hashes, and nothing from anywhere."""
    own = f"style-src {_source(styles)}; script-src {_source(script)}"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _by_rule(summary: Mapping[str, Any]) -> Markup:
    counts = [(row["name"], row["findings"]) for row in summary["by"]["rule"]]
    label = "Findings by rule, most frequent first; the table by rule has the same numbers"
    return pareto(counts, label, _OTHER_RULES)


def _by_month(summary: Mapping[str, Any], months: Sequence[Mapping[str, Any]]) -> Markup:
    """Findings by month, one series for each question, and findings per 100 cases as a line."""
    left = [dict(month["findings"]) for month in months]
    counts = {
        question["text"]: [sum(found.pop(rule, 0) for rule in question["rules"]) for found in left]
        for question in summary["questions"]
    }
    counts[_OTHER_RULES] = [sum(found.values()) for found in left]
    totals = [sum(month["findings"].values()) for month in months]
    rates = [
        100 * total / month["cases"] if month["cases"] else 0.0 for total, month in zip(totals, months, strict=True)
    ]
    periods = [f"{month['month'][5:7]}/{month['month'][2:4]}" for month in months]
    label = "Findings by month; the table by month has the same numbers"
    return columns(Columns(periods, counts, rates, "per 100 cases"), label)


def _money(value: Decimal | float | None) -> str:
    return "-" if not value else f"{'-' if value < 0 else ''}${abs(value):,.0f}"


def _overdue(summary: Mapping[str, Any], months: Sequence[Mapping[str, Any]]) -> set[str]:
    """Tables of which no source is verified through the last audited month; publications do not age."""
    last = months[-1]["month"] if months else ""
    verified = {
        name: [source["verifiedThrough"] for source in table["sources"] if "verifiedThrough" in source]
        for name, table in summary["tables"].items()
    }
    return {name for name, days in verified.items() if days and max(days)[:7] < last}
