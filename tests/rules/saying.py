"""The verdicts of a review in a form that can be compared, and cases that are changed as a whole."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from msgspec.structs import replace as changed

from cds_service.core.case import Case, Line, Procedure, Record
from cds_service.core.review import Review
from cds_service.core.rules import Finding

KINDS = ("lines", "procedures", "administrations", "orders", "observations", "documents")


def records_of(case: Case) -> Iterator[Record]:
    """All records of a case but its coverages, which have no day."""
    for kind in KINDS:
        yield from getattr(case, kind)


def said(found: Review, *, asking: bool = True) -> list[tuple[Any, ...]]:
    """The verdicts; codes and changes are listed in the order of the lines, which does not count."""
    findings = [(rule.id, *_words(each, asking)) for rule, each in found.unfolded]
    return sorted([*findings, *((rule.id, _sorted(each.reason)) for rule, each in found.not_checked)], key=repr)


def _sorted(sentence: str) -> list[str]:
    return sorted(re.findall(r"[\w.]+", sentence))


def _words(finding: Finding, asking: bool) -> tuple[Any, ...]:
    return (
        _sorted(finding.summary),
        sorted(sorted(str(change) for change in fix.changes) for fix in finding.fixes),
        [sorted(str(change) for change in fix.changes) for fix in finding.fixes if fix.recommended],
        sorted(finding.notes),
        sorted(each.seen for each in finding.evidence),
        str(finding.indicator),
        str(finding.day),
        finding.question.text if asking and finding.question else "",
    )


def moved(case: Case, by: timedelta, **members: Any) -> Case:
    """The same on other days, of other studies: with other names of records, on the same claims."""
    return case.with_records(**{kind: [_moved(each, by, members) for each in getattr(case, kind)] for kind in KINDS})


def _moved(record: Record, by: timedelta, members: dict[str, Any]) -> Record:
    own: dict[str, Any] = {
        "origin": changed(
            record.origin, resource=f"{record.origin.resource}~", reference=_other(record.origin.reference)
        ),
        "identity": _other(record.identity),
        "links": frozenset(map(_other, record.links)),
        "day": record.day + by if record.day else None,
        "last_day": record.last_day + by if record.last_day else None,
        "encounter": _other(record.encounter) if record.encounter else None,
    }
    if isinstance(record, Procedure):
        own["reports"] = tuple(map(_other, record.reports))
    return changed(record, **own, **(members if isinstance(record, Line) else {}))


def _other(name: str) -> str:
    return f"{name}~" if name else ""


def together(one: Case, other: Case) -> Case:
    """The records of two cases, those of the first one first; everything else as in the first one."""
    return one.with_records(**{kind: [*getattr(one, kind), *getattr(other, kind)] for kind in KINDS})


def with_lines(case: Case, lines: list[Line]) -> Case:
    """The case with other lines."""
    return case.with_records(lines=lines)


def without(case: Case, records: list[Record]) -> Case:
    """The case without some records."""
    gone = {each.origin for each in records}
    kept = {kind: [each for each in getattr(case, kind) if each.origin not in gone] for kind in KINDS}
    return case.with_records(**kept)
