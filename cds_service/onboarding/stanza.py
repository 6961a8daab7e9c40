"""Suggestions as lines for a site's file: YAML in which every line is a comment until a person decides."""

import json
from collections.abc import Iterable, Iterator

from cds_service.core.concepts import MODIFIER, NO_SYSTEM, REFERENCE
from cds_service.core.system_names import SYSTEM_NAMES
from cds_service.onboarding.unknown import Suggestions, UnknownCode, plain

# No billing code: a line with it is refused at start.
PLACEHOLDER = "DECIDE"

_KINDS = {"drug": "drug given", "material": "material used"}
_COUNTED = {
    ("payer", NO_SYSTEM): "neither a type of plan nor a payor's name (see `payers` in the site's file)",
    ("payer", REFERENCE): "a coverage that was not sent",
    ("modifier", MODIFIER): "a modifier in an unknown form",
}


def stanza(found: Suggestions, has_time_zone: bool) -> Iterator[str]:
    """The lines of the stanza: the list as comments, then mappings, systems and a time zone, each still a comment.

    Saved or pasted as it is, it loads and changes nothing.
    """
    yield from _list(found)
    coded = [each for each in found.not_understood if each.code]
    if coded:
        yield from _mappings(coded)
        yield from _systems(coded)
    if found.utc_instants and not has_time_zone:
        yield from _time_zone(found.utc_instants)


def _list(found: Suggestions) -> Iterator[str]:
    records = sum(each.count for each in found.not_understood)
    yield f"# Not understood: {_number(records, 'record')} of {_number(found.resources, 'resource')}."
    yield "#"
    yield f"# {'count':>7}  {'kind':13}  code"
    for each in found.not_understood:
        yield f"# {each.count:>7,}  {_KINDS.get(each.kind, each.kind):13}  {_described(each)}"


def _described(each: UnknownCode) -> str:
    if not each.code:
        other = "a resource that was not sent" if each.system == REFERENCE else "a text without a code, or no code"
        return _COUNTED.get((each.kind, each.system), other)
    system = SYSTEM_NAMES.get(each.system, plain(each.system))
    of = f"of {system}" if system else "without a code system"
    return f"{plain(each.code)} {of}{f': {each.display}' if each.display else ''}"


def _mappings(coded: Iterable[UnknownCode]) -> Iterator[str]:
    yield ""
    yield "# Decide yourself: a candidate only shares words with the display. Uncomment at most one line for each code"
    yield "# (remove its first `# `), and only for an exact equivalent. A code of something else needs no line."
    yield "# Where your file has `mappings:` or `systems:` already, paste only the lines below them."
    yield "mappings:"
    groups = _by_code(coded)
    for group, candidates in sorted(groups, key=lambda pair: not pair[1]):  # those without a candidate last
        uses = ", ".join(f"{_KINDS.get(each.kind, each.kind)} {each.count:,}" for each in group)
        yield f"  # {plain(group[0].code)}{_quoted(group[0].display)} ({uses}): decide yourself"
        for code, words in candidates.items():
            yield f"  # - {_mapping(group[0], code)}  # {words}"
        if not candidates:
            yield f"  # - {_mapping(group[0], PLACEHOLDER)}  # no candidate; `cds-service codes` lists all codes"


def _by_code(coded: Iterable[UnknownCode]) -> list[tuple[list[UnknownCode], dict[str, str]]]:
    """The uses of each code in different kinds of record, and the candidates of all: a code can be mapped once only."""
    found: dict[tuple[str, str], list[UnknownCode]] = {}
    for each in coded:
        found.setdefault((each.system, each.code), []).append(each)
    return [
        (group, {code: words for each in group for code, words in each.candidates.items()}) for group in found.values()
    ]


def _mapping(each: UnknownCode, to: str) -> str:
    note = f", note: {_string(each.display)}" if each.display else ""
    return f"{{system: {_string(each.system)}, code: {_string(each.code)}, to: {_string(to)}{note}}}"


def _systems(coded: Iterable[UnknownCode]) -> Iterator[str]:
    systems = dict.fromkeys(each.system for each in coded if each.system != NO_SYSTEM)
    if not systems:
        return
    yield ""
    yield "# Once every code of a system that stands for a billing code is mapped, say `all_mapped: true`: any other"
    yield "# code of it is then something else, and rules decide again."
    yield "systems:"
    for system in systems:
        yield f"  # - {{system: {_string(system)}, all_mapped: false}}"


def _time_zone(instants: int) -> Iterator[str]:
    yield ""
    yield f"# {_number(instants, 'record')} with an instant in UTC before noon: the local day may be the day before."
    yield "# Name the site's time zone, for example:"
    yield "# time_zone: America/Chicago"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _quoted(display: str) -> str:
    return f", {display}" if display else ""


def _string(text: str) -> str:
    """A text in double quotes: JSON's are valid in YAML."""
    return json.dumps(text)
