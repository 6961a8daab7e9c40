"""The claims of a file as lines of resources, as an export of FHIR holds them, for the audit.

A claim that is set aside is a line of its own, which begins with a mark that no JSON has.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from cds_service.errors import UnreadableInput
from cds_service.intake.x12.bundle import named_resources, resources_of
from cds_service.intake.x12.claim import Claim
from cds_service.intake.x12.envelopes import walk
from cds_service.intake.x12.file_loops import SetAside, read_claims, survey
from cds_service.intake.x12.segments import open_x12

# The names of so many providers are held, so that each is written about once.
_MOST_NAMES = 10_000
_MARK = "X12 rejected: "
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class SetAsideLine(msgspec.Struct):
    """A rejected part of a file: its place, the reason, and the number of the claim, empty if not known."""

    place: str
    reason: str
    claim: str = ""


def claim_lines(path: Path) -> Iterator[str]:
    """The resources of a file's claims, one on each line, and lines for what is set aside. Raises OSError."""
    open_file = partial(open_x12, path)
    named: set[tuple[str, str]] = set()
    try:
        for each in read_claims(open_file, survey(open_file)):
            yield from _lines_of(each, named)
    except UnreadableInput as error:
        yield _marked(SetAsideLine("the file", str(error)))


def set_aside_in(line: str) -> SetAsideLine | None:
    """The rejected part of a file that a line tells of; None for a line with a resource."""
    return msgspec.json.decode(line[len(_MARK) :], type=SetAsideLine) if line.startswith(_MARK) else None


def other_set_in(path: Path) -> str:
    """The words for the first transaction set of a file, if it is none of claims; empty if it is. Raises OSError."""
    try:
        with open_x12(path) as file:
            for transaction, _ in walk(file, lambda _: None):
                return transaction.other
    except UnreadableInput:
        pass  # told when the file is read
    return ""


def _lines_of(each: Claim | SetAside, named: set[tuple[str, str]]) -> Iterator[str]:
    if isinstance(each, SetAside):
        yield _marked(SetAsideLine(each.place, each.reason, each.claim))
        return
    resources = [resource for resource, _ in resources_of(each)]
    for provider in named_resources(each):
        key = provider["resourceType"], provider["id"]
        if key not in named:
            resources.append(provider)
            named.add(key)
    if len(named) > _MOST_NAMES:
        named.clear()
    yield from (_ENCODER.encode(resource).decode() for resource in resources)


def _marked(each: SetAsideLine) -> str:
    return _MARK + _ENCODER.encode(each).decode()
