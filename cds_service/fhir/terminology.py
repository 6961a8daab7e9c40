"""Exports code tables, rules and override reasons as FHIR R4 CodeSystem, ValueSet and ConceptMap resources."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.core.concepts import BILLING, NDC
from cds_service.core.rules import OverrideReason, Rule
from cds_service.core.terminology import CodeList, CodeMap, Member, Pair, Terminology
from cds_service.fhir.systems import NDC_URI, billing_uri

Resource = dict[str, Any]

_NON_ADHERENCE = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"

_COPYRIGHT = (
    "CPT is copyright American Medical Association. Codes are listed by number with descriptions in our own words. "
    "Use of CPT requires a license from the AMA."
)


def resources(
    terminology: Terminology, rules: Iterable[Rule], reasons: Sequence[OverrideReason], base: str, version: str
) -> dict[str, Resource]:
    """All resources by `Type/id`; `base` is the base of their canonical URLs."""
    made = [
        _code_system("rule", "Rule", "Rules of the contrast echo coding service", [_concept(each) for each in rules]),
        _code_system(
            "override-reason",
            "OverrideReason",
            "Reasons for overriding contrast echo coding advice",
            [{"code": reason.code, "display": reason.display} for reason in reasons],
        ),
        _standard_reasons(reasons, base),
        *(_value_set(each) for each in terminology.lists),
        *(_concept_map(each) for each in terminology.maps),
    ]
    return {f"{each['resourceType']}/{each['id']}": _named(each, base, version) for each in made}


def bundle(every: Mapping[str, Resource]) -> Resource:
    """All resources in one Bundle."""
    entries = [{"fullUrl": each["url"], "resource": each} for each in every.values()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _named(resource: Resource, base: str, version: str) -> Resource:
    kind, name = resource["resourceType"], resource["id"]
    head = {"resourceType": kind, "id": name, "url": f"{base}/{kind}/{name}", "version": version}
    return head | {"status": "active", "experimental": False} | resource


def _code_system(name: str, computable: str, title: str, concepts: list[Resource]) -> Resource:
    return {
        "resourceType": "CodeSystem",
        "id": name,
        "name": computable,
        "title": title,
        "caseSensitive": True,
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def _concept(rule: Rule) -> Resource:
    return {"code": rule.id, "display": rule.title, "definition": f"{rule.flags} {rule.why}"}


def _standard_reasons(reasons: Sequence[OverrideReason], base: str) -> Resource:
    """Our override reasons mapped to the codes suggested by CDS Hooks 3.0; each target is wider."""
    elements = [
        {
            "code": reason.code,
            "display": reason.display,
            "target": [{"code": reason.standard, "equivalence": "wider"}],
        }
        for reason in reasons
    ]
    return {
        "resourceType": "ConceptMap",
        "id": "override-reason-to-non-adherence",
        "name": "OverrideReasonToNonAdherence",
        "title": "Override reasons mapped to the codes suggested by CDS Hooks 3.0",
        "group": [
            {"source": f"{base}/CodeSystem/override-reason", "target": _NON_ADHERENCE, "element": elements},
        ],
    }


def _value_set(codes: CodeList) -> Resource:
    by_system: dict[str, list[Resource]] = {}
    for member in codes.members:
        by_system.setdefault(_uri(member), []).append(_coded(member) | _designations(member))
    return {
        "resourceType": "ValueSet",
        "id": codes.id,
        "name": codes.name,
        "title": codes.title,
        "description": codes.description + _about_names(codes),
        "copyright": _COPYRIGHT,
        "compose": {"include": [{"system": system, "concept": found} for system, found in by_system.items()]},
    }


def _concept_map(codes: CodeMap) -> Resource:
    groups: dict[tuple[str, str], dict[str, list[Pair]]] = {}
    for pair in codes.pairs:
        group = groups.setdefault((_uri(pair.source), _uri(pair.target)), {})
        group.setdefault(pair.source.value, []).append(pair)
    return {
        "resourceType": "ConceptMap",
        "id": codes.id,
        "name": codes.name,
        "title": codes.title,
        "description": codes.description,
        "copyright": _COPYRIGHT,
        "group": [
            {"source": source, "target": target, "element": [_element(pairs) for pairs in elements.values()]}
            for (source, target), elements in groups.items()
        ],
    }


def _element(pairs: list[Pair]) -> Resource:
    targets = [{**_coded(pair.target), "equivalence": pair.relation, "comment": pair.comment} for pair in pairs]
    return {**_coded(pairs[0].source), "target": targets}


def _coded(member: Member) -> Resource:
    return {"code": member.value, "display": member.words} if member.words else {"code": member.value}


def _about_names(codes: CodeList) -> str:
    """A sentence on the designations, which says what a page in another language says, too."""
    every = {each for member in codes.members for each in member.designations}
    unchecked = sorted({each.language for each in every if not each.is_checked})
    note = f"; those in {', '.join(unchecked)} are made by machine and checked by no one" if unchecked else ""
    return f" Designations are short names for patients{note}." if every else ""


def _designations(member: Member) -> Resource:
    """The names for patients, for which FHIR has no kind of use."""
    found = [{"language": each.language, "value": each.words} for each in member.designations]
    return {"designation": found} if found else {}


def _uri(member: Member) -> str:
    return {BILLING: billing_uri(member.value), NDC: NDC_URI}.get(member.kind, member.kind)
