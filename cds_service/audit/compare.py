"""Two audits held against each other: what is new, what is gone, what has changed, and which rules and tables differ.

A finding is found again by its subject: the rule and the places of its evidence. With the same export and the tables of
a new quarter, what is left is what the new tables change.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from cds_service.audit import output_files
from cds_service.audit.duckdb_engine import quoted
from cds_service.errors import UnreadableInput

# What makes a finding another one than before, where its subject is the same.
COMPARED = ("indicator", "summary", "remedies")

_STATES = ("new", "gone", "changed")


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit on disk: where its findings are, and its summary."""

    folder: Path
    summary: Mapping[str, Any]

    @property
    def findings(self) -> str:
        """The findings as DuckDB reads them: one file, or a folder of files where Spark has written them."""
        path = self.folder / output_files.FINDINGS_FILE
        return quoted(path / "*.parquet" if path.is_dir() else path)


def open_audit(folder: Path) -> Audit:
    """An audit that is finished. Raises UnreadableInput."""
    try:
        summary = json.loads((folder / output_files.SUMMARY_FILE).read_bytes())
    except (OSError, ValueError):
        raise UnreadableInput(f"{folder}: expected the folder of a finished audit") from None
    if not (folder / output_files.FINDINGS_FILE).exists():
        raise UnreadableInput(f"{folder}: its {output_files.FINDINGS_FILE} is missing")
    return Audit(folder, summary)


def compare(before: Audit, after: Audit) -> dict[str, Any]:
    """What differs, as plain data: rules and tables by version, counts by rule, and the findings themselves."""
    with duckdb.connect() as database:
        database.execute(_JOIN.format(before=before.findings, after=after.findings, differs=_DIFFERS))
        counts = database.execute(_COUNTS).fetchall()
        found = [_row(row) for row in database.execute(_ROWS).fetchall()]
    rules = _differing(before.summary["rules"], after.summary["rules"])
    tables = _differing(before.summary["tables"], after.summary["tables"])
    return {
        "before": dict(before.summary["about"]),
        "after": dict(after.summary["about"]),
        "rules": rules,
        "tables": tables,
        "byRule": [_by_rule(row, after.summary, rules, tables) for row in counts],
        "findings": found,
    }


# Findings of one subject are paired in the order of their ids; none is lost where there are several.
_JOIN = """CREATE TABLE compared AS
 WITH a AS (SELECT *, row_number() OVER (PARTITION BY subject ORDER BY id) AS place FROM '{before}'),
      b AS (SELECT *, row_number() OVER (PARTITION BY subject ORDER BY id) AS place FROM '{after}')
 SELECT CASE WHEN a.id IS NULL THEN 'new' WHEN b.id IS NULL THEN 'gone' WHEN {differs} THEN 'changed' ELSE 'same' END
          AS state, coalesce(b.rule, a.rule) AS rule, coalesce(b.day, a.day) AS day,
        coalesce(b.patient, a.patient) AS patient, a.id AS id_before, b.id AS id_after,
        a.summary AS summary_before, b.summary AS summary_after, a.value AS value_before, b.value AS value_after
 FROM a FULL JOIN b ON a.subject = b.subject AND a.place = b.place"""
_DIFFERS = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in COMPARED)
_COUNTS = """SELECT rule, count(*) FILTER (state = 'new'), count(*) FILTER (state = 'gone'),
 count(*) FILTER (state = 'changed'), count(*) FILTER (state = 'same') FROM compared GROUP BY rule ORDER BY rule"""
_ROWS = "SELECT * FROM compared WHERE state <> 'same' ORDER BY state, rule, day, patient, id_before, id_after"


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    state, rule, day, patient, *pairs = row
    names = ("idBefore", "idAfter", "summaryBefore", "summaryAfter", "valueBefore", "valueAfter")
    told = {name: str(value) for name, value in zip(names, pairs, strict=True) if value is not None}
    return {"state": state, "rule": rule, "day": str(day) if day else None, "patient": patient, **told}


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What has another version, or is in one of them only; the latest of its verified dates beside it."""
    return {
        name: {"before": _version(before.get(name)), "after": _version(after.get(name))}
        for name in sorted(before.keys() | after.keys())
        if _version(before.get(name)) != _version(after.get(name))
    }


def _version(part: Mapping[str, Any] | None) -> str | None:
    """The version, and through when the sources were verified where it is a table."""
    if part is None:
        return None
    verified = max((source["verifiedThrough"] for source in part.get("sources", ())), default="")
    return f"{part['version']}{f' (verified through {verified})' if verified else ''}"


def _by_rule(
    row: tuple[Any, ...], summary: Mapping[str, Any], rules: Mapping[str, Any], tables: Mapping[str, Any]
) -> dict[str, Any]:
    rule, *numbers = row
    rests_on = summary["rules"].get(rule, {}).get("tables", [])
    return {
        "rule": rule,
        **dict(zip((*_STATES, "same"), numbers, strict=True)),
        "ruleChanged": rule in rules,
        "tablesChanged": [name for name in rests_on if name in tables],
    }


# --- in words -------------------------------------------------------------------------------------------------------


def in_words(difference: Mapping[str, Any], most: int = 50) -> Iterator[str]:
    """The comparison as lines of text; at most so many findings of each kind."""
    for kind in ("tables", "rules"):
        for name, versions in difference[kind].items():
            yield f"{kind[:-1]} {name}: {versions['before'] or 'not there'} -> {versions['after'] or 'not there'}"
    if not difference["tables"] and not difference["rules"]:
        yield "the same rules and tables"
    if difference["before"]["site"] != difference["after"]["site"]:
        yield "the site's settings differ"
    yield ""
    yield f"{'rule':30}{'new':>8}{'gone':>8}{'changed':>9}{'same':>8}  because of"
    for row in difference["byRule"]:
        causes = [*(["the rule"] if row["ruleChanged"] else []), *row["tablesChanged"]]
        numbers = f"{row['new']:>8}{row['gone']:>8}{row['changed']:>9}{row['same']:>8}"
        differs = any(row[state] for state in _STATES)
        yield f"{row['rule']:30}{numbers}  {', '.join(causes) or 'the records or settings' if differs else ''}".rstrip()
    for state in _STATES:
        yield from _listed(state, [row for row in difference["findings"] if row["state"] == state], most)


def _listed(state: str, rows: list[Mapping[str, Any]], most: int) -> Iterator[str]:
    if rows:
        yield ""
        yield f"{state}:"
    for row in rows[:most]:
        said = row.get("summaryAfter", row.get("summaryBefore"))
        was = f" (was: {row['summaryBefore']})" if state == "changed" and row["summaryBefore"] != said else ""
        yield f"  {row['day'] or 'no date'}  {row['patient']}  {row['rule']}: {said}{was}"
    if len(rows) > most:
        yield f"  and {len(rows) - most} more: --json lists all"
