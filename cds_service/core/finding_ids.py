"""Stable ids of findings, by which a card, a report and a later run name the same finding."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from cds_service.core.case import Origin
from cds_service.core.rules import Finding, Rule


def finding_ids(findings: Sequence[tuple[Rule, Finding]]) -> list[str]:
    """One id for each finding, in their order; equal findings are numbered."""
    count: Counter[str] = Counter()
    ids = []
    for rule, finding in findings:
        bare = _id(rule, finding)
        count[bare] += 1
        ids.append(bare if count[bare] == 1 else f"{bare}-{count[bare]}")
    return ids


def _id(rule: Rule, finding: Finding) -> str:
    """Sixteen hexadecimal digits made of the rule, its evidence and its fixes, in whatever order these came.

    Evidence counts by its reference and its path in the resource; the resource's own path in the request does not, even
    if the record is cited by it.
    """
    origins = [(each.record.origin, each.seen) for each in finding.evidence]
    evidence = sorted(f"{_without_path(origin)} {origin.within} {seen}" for origin, seen in origins)
    parts = [rule.id, *evidence, *sorted(str(fix) for fix in finding.fixes)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _without_path(origin: Origin) -> str:
    return origin.reference.replace(f" in {origin.resource}", "")
