"""The HTML report: one self-contained page in the style of the reference pages, in one of the languages of the pages.

A report in another language than English has the English one beside it. Tables and files hold texts only, so that what
a worded text was written from is kept apart (`ReportWords`); a text without that, or without a translation, is said in
English and marked.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from cds_service.audit.output_files import ENGLISH_REPORT_FILE, REPORT_FILE
from cds_service.audit.reviewer import NO_DAY
from cds_service.audit.sites import NOT_IN_EXPORT, NOT_NAMED
from cds_service.charts import Columns, Notation, columns, pareto
from cds_service.languages.catalogs import Catalogs
from cds_service.languages.known import ENGLISH, LANGUAGES
from cds_service.languages.scripts import translations
from cds_service.languages.speech import FILTERS, FUNCTIONS, Speech
from cds_service.languages.stored import restored
from cds_service.languages.worded import Worded, name, worded

_FOLDER = Path(__file__).parent / "templates"
_PAGES = Path(__file__).parents[1] / "web"
_STYLE = _PAGES / "static" / "reference.css"
_LANGUAGE_SCRIPT = _PAGES / "static" / "language.js"
_SCRIPT = _FOLDER / "report.js"

# The tables of findings: dimension, title, and head of its first column.
_TABLES = {
    "site": (worded("By site"), worded("Site")),
    "practitioner": (worded("By practitioner"), worded("Practitioner")),
    "product": (worded("By contrast product"), worded("Contrast product")),
    "payer": (worded("By payer"), worded("Payer")),
    "setting": (worded("By claim type"), worded("Claim type")),
    "month": (worded("By month of service"), worded("Month of service")),
}
_LONGEST_TABLE = 25
_OTHER_RULES = worded("all other rules")
_PER_CASES = worded("per 100 cases")

# Values of findings that are words; all others are names.
_WORDS: Mapping[str, str] = {
    "": worded("none"),
    NOT_NAMED: worded("not named"),
    NOT_IN_EXPORT: worded("not in the export"),
    NO_DAY: worded("no date"),
    "several": worded("several"),
    "professional": worded("professional"),
    "facility": worded("facility"),
    "unknown": worded("unknown"),
}


def _no_words(_: Container[str]) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ReportWords:
    """The language of a report; `contents` gives the contents of the worded texts that are wanted, by the texts."""

    speech: Speech
    contents: Callable[[Container[str]], Mapping[str, Any]] = _no_words


def rendered(
    summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], words: ReportWords
) -> Iterator[tuple[str, str]]:
    """The files of the report with their names: one, and in another language than English the English one too."""
    if words.speech.language.is_english:
        yield REPORT_FILE, render(summary, rows)
        return
    contents = words.contents(frozenset(_texts(summary, rows)))
    yield REPORT_FILE, render(summary, rows, words.speech, contents)
    yield ENGLISH_REPORT_FILE, render(summary, rows)


def _texts(summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The texts of the report that worded texts may have become."""
    yield from (row["reason"] for row in summary["notChecked"])
    for row in rows:
        yield row["summary"]
        yield from (seen["seen"] for seen in row["evidence"])
        for fix in row["remedies"]:
            yield from (fix["label"], *fix["changes"])


def render(
    summary: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    speech: Speech | None = None,
    contents: Mapping[str, Any] | None = None,
) -> str:
    """The page for a summary and its most important findings; in English by default."""
    speaker = speech or Speech(Catalogs(), ENGLISH)
    styles = _STYLE.read_text(encoding="utf-8") + (_FOLDER / "report.css").read_text(encoding="utf-8")
    script = _LANGUAGE_SCRIPT.read_text(encoding="utf-8") + _SCRIPT.read_text(encoding="utf-8")
    months = [each for each in summary["trend"] if each["month"][:1].isdigit()]
    return (
        _environment(speaker, contents or {})
        .get_template("report.html")
        .render(
            summary=summary,
            rows=rows,
            styles=Markup(styles),  # noqa: S704  # our own files
            script=Markup(script),  # noqa: S704
            script_words=_script_words(speaker),
            policy=_policy(styles, script),
            by_rule=_by_rule(summary, speaker),
            by_month=_by_month(summary, months, speaker),
            series=[*(question["text"] for question in summary["questions"]), _OTHER_RULES],
            months=months,
            tables=[
                (dimension, title, head, summary["by"][dimension][:_LONGEST_TABLE], len(summary["by"][dimension]))
                for dimension, (title, head) in _TABLES.items()
            ],
            valued=bool(summary["about"]["fees"]),
            titles={rule: each["title"] for rule, each in summary["rules"].items()},
            overdue=_overdue(summary, months),
        )
    )


def _environment(speech: Speech, contents: Mapping[str, Any]) -> Environment:
    """The templates with the functions and filters that say texts."""
    loader = FileSystemLoader([_FOLDER, _PAGES / "templates"])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.globals |= {key: partial(function, speech) for key, function in FUNCTIONS.items()}
    environment.globals |= {
        "speaking": speech.language,
        "every_language": LANGUAGES,
        "in_language": lambda _: ENGLISH_REPORT_FILE,
    }
    environment.filters |= {key: partial(function, speech) for key, function in FILTERS.items()}
    environment.filters |= {
        "said": lambda text: speech.said(_again(text, contents)),
        "value": lambda text: speech.labeled(_value(text, speech)),
        "month": partial(_month, speech),
        "moment": partial(_moment, speech),
        "count": lambda number: speech.amount(int(number)),
        "money": partial(_money, speech),
    }
    return environment


def _again(text: str, contents: Mapping[str, Any]) -> str:
    """A text with what it was written from, where that was kept."""
    return restored(text, contents[text]) if text in contents and not isinstance(text, Worded) else text


def _value(text: str | None, speech: Speech) -> str:
    """A value of a finding: a word of ours, a month, or a name."""
    if text and text[:4].isdigit() and len(text) == len("2026-03"):
        return name(_month(speech, text))
    return _WORDS.get(text or "") or name(str(text))


def _month(speech: Speech, text: str) -> str:
    return text if speech.language.is_english else speech.month(date.fromisoformat(f"{text}-01"))


def _moment(speech: Speech, text: str) -> str:
    return text if speech.language.is_english else speech.moment(datetime.fromisoformat(text))


def _script_words(speech: Speech) -> Markup:
    """The translations of what the script says, as the data that it reads; empty in English."""
    if speech.language.is_english:
        return Markup()
    found = translations(_SCRIPT, speech.catalogs, speech.language)
    speech.is_incomplete |= None in found.values()
    return htmlsafe_json_dumps({text: said for text, said in found.items() if said}, dumps=json.dumps)


def _policy(styles: str, script: str) -> str:
    """The page's content security policy: its own style and script by their hashes, and nothing from anywhere."""
    own = f"style-src {_source(styles)}; script-src {_source(script)}"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _by_rule(summary: Mapping[str, Any], speech: Speech) -> Markup:
    counts = [(row["name"], row["findings"]) for row in summary["by"]["rule"]]
    label = worded("Findings by rule, most frequent first; the table by rule has the same numbers")
    return pareto(counts, speech.labeled(label), speech.labeled(_OTHER_RULES), notation=_notation(speech))


def _by_month(summary: Mapping[str, Any], months: Sequence[Mapping[str, Any]], speech: Speech) -> Markup:
    """Findings by month, one series for each question, and findings per 100 cases as a line."""
    left = [dict(month["findings"]) for month in months]
    counts = {
        speech.labeled(question["text"]): [sum(found.pop(rule, 0) for rule in question["rules"]) for found in left]
        for question in summary["questions"]
    }
    counts[speech.labeled(_OTHER_RULES)] = [sum(found.values()) for found in left]
    totals = [sum(month["findings"].values()) for month in months]
    rates = [
        100 * total / month["cases"] if month["cases"] else 0.0 for total, month in zip(totals, months, strict=True)
    ]
    periods = [speech.short_month(date.fromisoformat(f"{month['month']}-01")) for month in months]
    label = speech.labeled(worded("Findings by month; the table by month has the same numbers"))
    return columns(Columns(periods, counts, rates, speech.labeled(_PER_CASES)), label, _notation(speech))


def _notation(speech: Speech) -> Notation:
    return Notation(speech.amount, speech.percent)


def _money(speech: Speech, value: Decimal | float | None) -> str:
    return speech.whole_dollars(Decimal(value)) if value else "-"


def _overdue(summary: Mapping[str, Any], months: Sequence[Mapping[str, Any]]) -> set[str]:
    """Tables of which no source is verified through the last audited month; publications do not age."""
    last = months[-1]["month"] if months else ""
    verified = {
        name: [source["verifiedThrough"] for source in table["sources"] if "verifiedThrough" in source]
        for name, table in summary["tables"].items()
    }
    return {name for name, days in verified.items() if days and max(days)[:7] < last}
