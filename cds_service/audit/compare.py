"""Comparison of two audits: new, gone and changed findings, and the rules and tables that differ.

Findings are matched by subject: the rule and the records in evidence. On the same export with the tables of a new
quarter, the difference shows the effect of the new tables.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from cds_service.audit import output_files, work_list
from cds_service.audit.duckdb_engine import quoted, rows_of
from cds_service.errors import UnreadableInput

# A finding with the same subject is "changed" if one of these columns differs.
COMPARED = ("indicator", "summary", "remedies")

_STATES = ("new", "gone", "changed")


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit on disk: its folder and its summary."""

    folder: Path
    summary: Mapping[str, Any]

    @property
    def findings(self) -> str:
        """The path of the findings for DuckDB: one file, or a folder of files if written by Spark."""
        path = self.folder / output_files.FINDINGS_FILE
        return quoted(path / "*.parquet" if path.is_dir() else path)


def open_audit(folder: Path) -> Audit:
    """Open a finished audit. Raises UnreadableInput."""
    try:
        summary = json.loads((folder / output_files.SUMMARY_FILE).read_bytes())
    except (OSError, ValueError):
        raise UnreadableInput(f"{folder}: expected the folder of a finished audit") from None
    if not (folder / output_files.FINDINGS_FILE).exists():
        raise UnreadableInput(f"{folder}: its {output_files.FINDINGS_FILE} is missing")
    return Audit(folder, summary)


def compare(before: Audit, after: Audit) -> dict[str, Any]:
    """The difference as plain data: versions of rules and tables, counts by rule, and the findings."""
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


# Several findings with one subject are paired in the order of their ids, so that none is lost.
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
_NEW = """CREATE VIEW findings AS FROM '{after}'
 WHERE id IN (SELECT id_after FROM compared WHERE state = 'new')"""
_ROWS = "SELECT * FROM compared WHERE state <> 'same' ORDER BY state, rule, day, patient, id_before, id_after"


def _row(row: tuple[Any, ...]) -> dict[str, Any]:
    state, rule, day, patient, *pairs = row
    names = ("idBefore", "idAfter", "summaryBefore", "summaryAfter", "valueBefore", "valueAfter")
    values = {name: str(value) for name, value in zip(names, pairs, strict=True) if value is not None}
    return {"state": state, "rule": rule, "day": str(day) if day else None, "patient": patient, **values}


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Rules or tables whose version differs, or that only one audit has, each with its verified date."""
    return {
        name: {"before": _version(before.get(name)), "after": _version(after.get(name))}
        for name in sorted(before.keys() | after.keys())
        if _version(before.get(name)) != _version(after.get(name))
    }


def _version(part: Mapping[str, Any] | None) -> str | None:
    """The version; for a table also the date through which its sources were verified."""
    if part is None:
        return None
    verified = max((source.get("verifiedThrough", "") for source in part.get("sources", ())), default="")
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


# --- a work list ----------------------------------------------------------------------------------------------------


def write_new(before: Audit, after: Audit, path: Path) -> None:
    """Write the findings that are new in the second audit as a work list. Raises UnreadableInput.

    A finding that only changed is on the list of the first audit already.
    """
    with duckdb.connect() as database:
        database.execute(_JOIN.format(before=before.findings, after=after.findings, differs=_DIFFERS))
        database.execute(_NEW.format(after=after.findings))
        answer = database.execute(work_list.QUERY)
        missing = {"also_rules", "claims", "lines"} - {column[0] for column in answer.description}
        if missing:
            raise UnreadableInput(f"{after.folder}: an audit of an earlier version; run it again for a work list")
        parts = work_list.encoded(rows_of(answer))
        try:
            output_files.write_atomically(path, lambda partial: _write_parts(partial, parts))
        except OSError as error:
            raise UnreadableInput(f"{path}: {error.strerror}") from None


def _write_parts(path: Path, parts: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(parts)


# --- in words -------------------------------------------------------------------------------------------------------


def in_words(difference: Mapping[str, Any], most: int = 50) -> Iterator[str]:
    """The comparison as lines of text, with at most `most` findings of each state."""
    for kind in ("tables", "rules"):
        for name, versions in difference[kind].items():
            yield f"{kind[:-1]} {name}: {versions['before'] or 'none'} -> {versions['after'] or 'none'}"
    if not difference["tables"] and not difference["rules"]:
        yield "rules and tables: the same"
    if difference["before"]["site"] != difference["after"]["site"]:
        yield "site settings: different"
    yield ""
    yield f"{'rule':30}{'new':>8}{'gone':>8}{'changed':>9}{'same':>8}  cause"
    for row in difference["byRule"]:
        causes = [*(["rule"] if row["ruleChanged"] else []), *row["tablesChanged"]]
        numbers = f"{row['new']:>8}{row['gone']:>8}{row['changed']:>9}{row['same']:>8}"
        differs = any(row[state] for state in _STATES)
        yield f"{row['rule']:30}{numbers}  {', '.join(causes) or 'records or settings' if differs else ''}".rstrip()
    for state in _STATES:
        yield from _listed(state, [row for row in difference["findings"] if row["state"] == state], most)


def _listed(state: str, rows: list[Mapping[str, Any]], most: int) -> Iterator[str]:
    if rows:
        yield ""
        yield f"{state}:"
    for row in rows[:most]:
        summary = row.get("summaryAfter", row.get("summaryBefore"))
        was = f" (was: {row['summaryBefore']})" if state == "changed" and row["summaryBefore"] != summary else ""
        yield f"  {row['day'] or 'no date'}  {row['patient']}  {row['rule']}: {summary}{was}"
    if len(rows) > most:
        yield f"  and {len(rows) - most} more: --json lists all"
