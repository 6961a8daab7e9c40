"""Support for the audit's tests: exports on disk, audits of them, and the Bundles for `/review`."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb

import hooks
from cds_service.audit.chunks import BrokenChunk, chunks_of, lines_of
from cds_service.audit.exports import open_export
from cds_service.audit.fees import FeeTable
from cds_service.audit.lines import MEDICATION, read_line
from cds_service.audit.patients import ExportedRecord, entries_of, read_patient
from cds_service.audit.run import Options, run_audit
from cds_service.audit.workers import Workers
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.support.sound_claims import Claim

MAKE = partial(create_auditor, Settings(), FeeTable(), everything=False)
KEPT_WITH_EVERY_CASE = {"Coverage", "Patient", "Encounter", "Medication", "Organization"}


class Silent:
    """Progress that nobody sees."""

    def begin(self, step: str, total: float, unit: str) -> None: ...

    def advance(self, amount: float) -> None: ...


def audited(
    export: Path, out: Path, complete: tuple[str, ...] = (), make: Any = MAKE, **options: Any
) -> dict[str, Any]:
    """Audit an export; its summary. Audits with the usual auditor share processes, which take seconds to start."""
    chosen = Options(out=out, complete=complete, **options)
    if make is MAKE:
        return run_audit(open_export(export), _usual_workers(), chosen, Silent())
    with Workers(make, jobs=2) as workers:
        return run_audit(open_export(export), workers, chosen, Silent())


@cache
def _usual_workers() -> Workers:
    return Workers(MAKE, jobs=2)


def rows(path: Path, query: str = "SELECT * FROM data") -> list[dict[str, Any]]:
    """Rows of a query on a Parquet file or folder, which the query names `data`."""
    path = path / "*.parquet" if path.is_dir() else path
    with duckdb.connect() as database:
        answer = database.execute(query.replace("data", f"'{path}'"))
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def findings(out: Path) -> list[dict[str, Any]]:
    """The findings of an audit, in an order of their own."""
    return sorted(rows(out / "findings.parquet"), key=lambda row: row["id"])


def counts(out: Path) -> list[tuple[Any, ...]]:
    """The counts of an audit, in an order of their own."""
    return sorted(tuple(row.values()) for row in rows(out / "counts.parquet"))


def confusion(export: Path, out: Path) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Planted errors that were not found, and findings that were not planted, as (patient, rule)."""
    planted = Counter(map(tuple, json.loads((export.parent / f"{export.name}.planted.json").read_text())))
    found = Counter(
        (row["patient"], rule) for row in rows(out / "findings.parquet") for rule in (row["rule"], *row["also_rules"])
    )
    return planted - found, found - planted


# --- what `/review` would be sent -----------------------------------------------------------------------------------


def patients_of(export: Path) -> dict[str, list[ExportedRecord]]:
    """The records of each patient, read line by line without any engine."""
    rows, drugs = list[tuple[Any, str]](), dict[str, str]()
    for chunk in chunks_of(open_export(export).files):
        for line in lines_of(chunk):
            text = "" if isinstance(line, BrokenChunk) else line.strip("\ufeff \r\n")
            row = read_line(text) if text else None
            if row and row.kind == MEDICATION:
                drugs[row.id] = text
            elif row and not row.reason and not row.skipped and row.patient:
                rows.append((row, text))
    found: dict[str, list[ExportedRecord]] = {}
    for row, text in rows:
        of_patient = found.setdefault(row.patient, [])
        of_patient.append(ExportedRecord(row.kind, row.id, text))
        of_patient += [ExportedRecord(MEDICATION, name, drugs[name]) for name in row.medications if name in drugs]
    return found


def case_bundles(
    records: Iterable[ExportedRecord], advisor: Advisor, complete: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """The Bundle of each case of a patient."""
    entries = entries_of(records)
    read = read_patient(records, advisor, complete)
    for case in read.cases:
        yield bundle_of(entries, case.paths)


def bundle_of(entries: Iterable[Any], paths: frozenset[str] | None = None) -> dict[str, Any]:
    """A Bundle of the records at some paths (all if None), and of those that belong to every case."""
    chosen = [
        {"resource": json.loads(each.raw)} | ({"fullUrl": source.full_url} if source.full_url else {})
        for source, each in entries
        if paths is None or source.path in paths or each.kind in KEPT_WITH_EVERY_CASE
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": chosen}


# --- claims with one known fault, or none ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Confusion:
    """The patients of an audit by the rule that should speak (`sound` for none) and those that did, as (due, found).

    Of findings on other lines than those at fault, the rule's name has `elsewhere` behind it. `not_checked` are the
    cases with an open question, by rule and reason.
    """

    cells: Counter[tuple[str, str]]
    not_checked: dict[tuple[str, str], int]
    examples: dict[tuple[str, str], list[str]]

    @property
    def off_diagonal(self) -> dict[tuple[str, str], int]:
        """The patients for whom another rule spoke than the one due, or none."""
        return {cell: count for cell, count in self.cells.items() if cell[0] != cell[1]}

    def __str__(self) -> str:
        cells = [
            f"{due:26} {found:26} {count:6} {', '.join(self.examples[due, found][:3]) if due != found else ''}"
            for (due, found), count in sorted(self.cells.items())
        ]
        return "\n".join([f"{'due':26} {'found':26}  count", *cells, *map(str, self.not_checked.items())])


SOUND = "sound"


def confusion_of(claims: Mapping[str, Claim], out: Path) -> Confusion:
    """The confusion table of an audit of claims by the name of their patients."""
    found: dict[str, list[str]] = {}
    for row in findings(out):
        patient = row["patient"].removeprefix("Patient/")
        cited = frozenset(each["reference"] for each in row["evidence"])
        is_at_fault = cited == claims[patient].cited(patient)
        found.setdefault(patient, []).append(row["rule"] + ("" if is_at_fault else " elsewhere"))
    cells: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = {}
    for name, claim in claims.items():
        cell = (claim.rule or SOUND, " + ".join(found.get(name, [SOUND])))
        cells[cell] += 1
        examples.setdefault(cell, []).append(f"{name} [{', '.join(map(str, claim.charges))}]")
    unread = rows(out / "counts.parquet", "SELECT rule, reason, cases FROM data WHERE outcome = 'not checked'")
    every_code = {rule.id for rule in hooks.all_rules() if rule.every_code}
    not_checked: Counter[tuple[str, str]] = Counter()
    for row in unread:
        if row["rule"] in every_code:
            not_checked[row["rule"], row["reason"]] += row["cases"]
    return Confusion(cells, dict(not_checked), examples)
