"""Judges an answer by its case, on its own and against the answers to other bodies."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from tests.fuzz.answers import Shapes, faults
from tests.fuzz.bases import REVIEW
from tests.fuzz.case import JSON_TYPE, Case
from tests.fuzz.client import Answer, Client
from tests.fuzz.places import CHARGES, RECORDS, at, related, resources
from tests.fuzz.spoken import ABOUT_ABSENCE, NO_CONTRAST_ON_RECORD, Spoken, spoken
from tests.support.ehr import PATHS

Json = dict[str, Any]

# What may show contrast: any administration, and any procedure but these codes without what was used.
_SHOWS_CONTRAST = frozenset({"MedicationAdministration", "Medication"})
_PLAIN_ECHOES = frozenset({"93350", "93351", "93306", "93307", "93308"})

# Warnings of what is used at order time only.
_OF_ORDERS = "not understood: an order "
# Warnings of records that count on the days of a study or a charge under review only.
_NEAR_CHARGES = ("not understood: an administration ", "not understood: a procedure ")

_CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Z]{5}(?![0-9A-Za-z])")


class BaseFailed(Exception):
    """A request that nothing was done to is not answered as it must be."""

    def __init__(self, case: Case, reasons: list[str]) -> None:
        super().__init__(f"{case.path}: {'; '.join(reasons)}")
        self.case = case
        self.reasons = reasons


class Judge:
    """Holds answers against what must hold of them; asks for what other bodies are answered with, each once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        document = client.send(Case(name="document", route="", method="GET", path="/openapi.json", headers={}))
        self._shapes = Shapes(msgspec.json.decode(document.body))
        self._answers: dict[tuple[str, bytes], Spoken] = {}
        self.asked = 0

    def faults(self, case: Case, answer: Answer) -> list[str]:
        """Faults of an answer; empty if it is as expected. Raises BaseFailed."""
        found = list(faults(case, answer, self._shapes))
        if not found and answer.status == 200 and (case.expected.like or case.expected.warned):
            found += self._faults_beside_others(case, spoken(case.path, answer.body))
        return found

    def _faults_beside_others(self, case: Case, answer: Spoken) -> Iterator[str]:
        expected = case.expected
        for place in expected.warned:
            if not answer.warns_of(place):
                yield f"nothing is said of {place}, which cannot be read"
        others = [self._answer_to(case.path, body) for body in expected.like]
        if case.served and all(card in others[0].advised for card in answer.advised):
            return  # what concerns no echo is not fetched, and nothing is said of it
        if others and answer.advice not in [other.advice for other in others]:
            yield from _faults_of_change(case, answer, others[0])
        if expected.kept:
            yield from lost_warnings(case, answer, self._answer_to(case.path, expected.kept))

    def _answer_to(self, path: str, body: bytes) -> Spoken:
        if (path, body) not in self._answers:
            case = Case(name="base", route="", path=path, body=body)
            answer = self._client.send(case)
            self.asked += 1
            wrong = list(faults(case, answer, self._shapes))
            if wrong:
                raise BaseFailed(case, wrong)
            self._answers[path, body] = spoken(path, answer.body)
        return self._answers[path, body]


def _faults_of_change(case: Case, answer: Spoken, base: Spoken) -> Iterator[str]:
    """The advice is another one: then the damage must be named, and must not pass for the absence of a charge."""
    damaged = case.expected.damaged
    if not damaged:
        yield f"other advice, though the same was sent: {base.difference(answer)}"
        return
    if answer.in_words == base.in_words and all(each in base.suggestions for each in answer.suggestions):
        return  # what cannot be written back is not offered to be carried out
    if not any(answer.warns_of(place) for place in damaged):
        yield f"other advice, and {damaged[0]} is not named: {base.difference(answer)}"
    yield from _taken_for_absent(case, answer, base)


def _taken_for_absent(case: Case, answer: Spoken, base: Spoken) -> Iterator[str]:
    """Advice that treats unparsed data as absent: to add its charge, or to remove another for lack of it."""
    before = _left_of(case.expected.like[0], case.expected.damaged)
    left = _left_of(case.body, case.expected.damaged)
    for code in sorted((answer.additions - base.additions) & left):
        yield f"adds {code}, which stands in what could not be read"
    if before <= left:  # of what not even the type or the code is left, nobody can know what it was
        absent = answer.removals_for_lack_of(rules_that_may_miss(case))
        for code in sorted(absent - base.removals - base.removals_for_lack_of(ABOUT_ABSENCE) - left):
            yield f"takes off {code}, since something else could not be read"


def rules_that_may_miss(case: Case) -> frozenset[str]:
    """The rules of absence whose finding may come of what is damaged.

    A charge is no administration: where the request itself holds no record of contrast, every record is read, and only
    charges are damaged, contrast is absent whatever these say.
    """
    damaged = [_types_at(case.expected.like[0], each) for each in case.expected.damaged]
    if all(types and types <= CHARGES for types in damaged) and not any(
        map(_may_show_contrast, _resources_of(case.expected.like[0]))
    ):
        return ABOUT_ABSENCE - {NO_CONTRAST_ON_RECORD}
    return ABOUT_ABSENCE


def _may_show_contrast(resource: Json) -> bool:
    if resource["resourceType"] != "Procedure":
        return resource["resourceType"] in _SHOWS_CONTRAST
    codes = [each.get("code") for each in (resource.get("code") or {}).get("coding") or [{}]]
    is_plain = all(isinstance(each, str) and each in _PLAIN_ECHOES for each in codes)
    return not is_plain or any(name.startswith("used") for name in resource)


def _resources_of(body: bytes) -> list[Json]:
    tree = msgspec.json.decode(body)
    return [at(tree, place.steps) for place in resources(tree)]


def _types_at(body: bytes, place: str) -> set[str]:
    """The types of the resources at a path; none where something was added."""
    tree = msgspec.json.decode(body)
    found = [each for each in resources(tree) if related(each.location, place)]
    return {at(tree, each.steps)["resourceType"] for each in found}


def _left_of(body: bytes, places: tuple[str, ...]) -> set[str]:
    """Salvageable content of the resources at some paths: their types, and the codes of charges and orders."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return set()  # no part of it can be told from the others
    found = [place for place in resources(tree) if any(related(place.location, each) for each in places)]
    every = [at(tree, place.steps) for place in found]
    charges = [each for each in every if each["resourceType"] in CHARGES | {"ServiceRequest"}]
    codes = {code.decode() for code in _CODE.findall(msgspec.json.encode(charges))}
    return codes | {each["resourceType"] for each in every}


def lost_warnings(case: Case, answer: Spoken, base: Spoken) -> Iterator[str]:
    """Warnings of the answer to the good request that this one lacks, though it gives the advice they belong to."""
    for location, message in base.warnings:
        touched = any(related(location, place) for place in case.expected.touched)
        if touched or (location, message) in answer.warnings or answer.has_no_need_of(message, base):
            continue
        if message.startswith(_OF_ORDERS) and _may_hold_a_charge_now(case, answer):
            continue
        if not (message.startswith(_NEAR_CHARGES) and _no_charge_is_left(case, answer)):
            yield f"no longer warns of {location}"


def _no_charge_is_left(case: Case, answer: Spoken) -> bool:
    """True if each charge that the body still holds is warned of, as not read: no day is under review."""
    try:
        tree = msgspec.json.decode(case.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    charges = [place.location for place in resources(tree) if at(tree, place.steps)["resourceType"] in CHARGES]
    return bool(answer.warnings) and all(map(answer.warns_of, charges))


def _may_hold_a_charge_now(case: Case, answer: Spoken) -> bool:
    """True if a Bundle holds something of which not even the type is left, and that is said.

    It may be a charge, so the Bundle is reviewed as charges, and no longer as orders.
    """
    untyped = [place for place in case.expected.damaged if not _left_of(case.body, (place,)) & RECORDS]
    return case.path == REVIEW and any(map(answer.warns_of, untyped))


def again(case: Case) -> Case:
    """The same case, held against the answer to itself: the same call is answered the same."""
    return replace(case, name=f"{case.name}, again", expected=replace(case.expected, like=(case.body,), damaged=()))


def can_be_repeated(case: Case) -> bool:
    """True if a case can be judged against its own answer."""
    is_plain = case.headers == {"Content-Type": JSON_TYPE} and not case.chunked and not case.served
    return is_plain and case.method == "POST" and case.path in {REVIEW, *PATHS.values()}
