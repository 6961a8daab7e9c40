"""Alternative readings of a case: what its records that were not understood may stand for.

What is well-formed and not understood is neither absent nor something else. A rule that concludes from absence ("the
add-on is missing") is wrong if such a record is the missing thing. No rule has to think of that: `core.review` runs a
rule again under each alternative reading, and a finding counts only if it holds in all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial

from msgspec.structs import replace

from cds_service.core.case import (
    Administration,
    Case,
    Document,
    Line,
    Observation,
    Order,
    Origin,
    Procedure,
    Record,
    RecordT,
)
from cds_service.core.concepts import Code, Concept
from cds_service.core.rules import Question, Why
from cds_service.languages.worded import Worded, joined, worded

UNPARSED = "could not be parsed"  # in the place of a reference


@dataclass(frozen=True, slots=True)
class Unclear:
    """Records that were not understood for one reason.

    `what` says about the first record what was not understood ("carries code 615215 of urn:x, which is not mapped").
    `topic` is the same for all of them and names no record ("codes of urn:x are not mapped"), so that a warning says it
    once. `kind` is the kind of record and `system` its code system or kind of reference, for counting.
    `codes` are the codes and references that were not understood, one for each occurrence; none for texts, modifiers
    and payers without a name.
    """

    records: tuple[Record, ...]
    what: str
    topic: str
    kind: str
    system: str
    codes: tuple[Code, ...] = ()

    @property
    def words(self) -> Worded:
        """The first record, and what was not understood of it."""
        return joined(" ", (self.records[0].origin.reference, self.what))

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True)
class Alternative:
    """Another reading of a case, made on first use.

    `reason` says why a finding that does not hold under it is not decided, `record` is the unclear record it names. If
    several records are read in another way, `parts` are the readings of one of them at a time: the reason of the first
    part that takes a finding away is the better one. `question` asks a person for what the record does not state.
    """

    reason: str
    make: Callable[[], Case]
    record: Record | None = None
    why: Why = "not-understood"
    parts: "tuple[Alternative, ...]" = ()
    question: Question | None = None

    @cached_property
    def case(self) -> Case:
        """The case under this reading."""
        return self.make()


@dataclass(frozen=True, slots=True)
class Asked:
    """Codes and units that matter to a rule: the billing codes of its findings first, and the units they ask for."""

    codes: tuple[str, ...] = ()
    units: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class Readings:
    """Knowledge of records that were not understood.

    `unclear` lists those of a case. `alternatives` gives the other readings of a case that matter to a rule.
    `if_it_matters` lists those of which nobody is warned unless an open question rests on them: not every claim comes
    with its coverage.
    """

    unclear: Callable[[Case], tuple[Unclear, ...]]
    alternatives: Callable[[Case, Asked], Iterable[Alternative]]
    if_it_matters: Callable[[Case], tuple[Unclear, ...]] = lambda _: ()


# Every record is understood: for rules that are run alone.
EVERYTHING_UNDERSTOOD = Readings(lambda _: (), lambda _, __: ())


_MEMBERS: dict[type[Record], str] = {
    Line: "lines",
    Procedure: "procedures",
    Administration: "administrations",
    Order: "orders",
    Observation: "observations",
    Document: "documents",
}
_MOST_ALONE = 20  # records tried one by one for the reason


def reading(
    case: Case, records: Sequence[RecordT], read: Callable[[RecordT], RecordT], reason: Callable[[RecordT], str]
) -> Alternative:
    """The case with some of its records read in another way; `reason` words it for one of them."""

    def of(chosen: Sequence[RecordT], parts: tuple[Alternative, ...] = ()) -> Alternative:
        return Alternative(reason(chosen[0]), partial(_with_read, case, tuple(chosen), read), chosen[0], parts=parts)

    return of(records, tuple(of([each]) for each in records[:_MOST_ALONE]) if len(records) > 1 else ())


def _with_read(case: Case, records: tuple[RecordT, ...], read: Callable[[RecordT], RecordT]) -> Case:
    chosen = {id(each) for each in records}
    members = {_MEMBERS[type(each)] for each in records}
    return case.with_records(
        **{name: [read(each) if id(each) in chosen else each for each in getattr(case, name)] for name in members}
    )


def unparsed_charges(case: Case, billing_system: str, codes: Iterable[str]) -> Iterator[Alternative]:
    """A reading for each code found in a charge or an order that could not be parsed: charged or ordered everywhere.

    A charge that could not be parsed and holds no such code may be any charge: then a reading for each of `codes`. In
    a last reading, all of them are charged apart from the other charges, as another study would be.
    """
    unknown = codes if "chargeItems" in case.unreadable_parts else ()
    found = tuple(dict.fromkeys([*sorted(case.unreadable_codes), *unknown]))
    for code in found:
        concept = Concept((Code(billing_system, code),))
        yield Alternative(
            unparsed_code(code),
            partial(_with_code_everywhere, case, code, concept),
            why="record",
        )
    if found:
        reason = worded("a charge that could not be parsed may be of another study")
        yield Alternative(reason, partial(_with_codes_apart, case, billing_system, found), why="record")


def unparsed_code(code: str) -> str:
    """The reason why a rule about a code cannot decide, if a charge that could not be parsed holds the code."""
    return worded("{code} may already be charged, on a charge that could not be parsed", code=code)


def _with_codes_apart(case: Case, billing_system: str, codes: tuple[str, ...]) -> Case:
    """The case with undated charges of codes that nothing links to the other charges."""
    apart = [
        Line(origin=_unnamed(number), code=code, concept=Concept((Code(billing_system, code),)))
        for number, code in enumerate(codes)
    ]
    return case.with_records(lines=[*case.lines, *apart])


def _with_code_everywhere(case: Case, code: str, concept: Concept) -> Case:
    """The case with a code beside each line and each order, and undated.

    What stands beside a line is linked to it, so that it is of the same study even if the line has no day.
    """
    sent = [replace(line, identity=line.identity or "#".join(_place(line.origin))) for line in case.lines]
    lines = [Line(origin=_unnamed(-1), code=code, concept=concept)]
    for number, line in enumerate(sent):
        links = line.links | {line.identity}
        beside = replace(line, origin=_unnamed(number), identity="", links=links, code=code, concept=concept)
        lines.append(replace(beside, units=None))
    orders = [Order(origin=_unnamed(-1), kind="service", concept=concept)] if case.stage == "order" else []
    for number, order in enumerate(case.orders):
        orders.append(replace(order, origin=_unnamed(number), identity="", concept=concept))
    return case.with_records(lines=[*sent, *lines], orders=[*case.orders, *orders])


def _place(origin: Origin) -> tuple[str, str]:
    return origin.resource, origin.within


def _unnamed(number: int) -> Origin:
    return Origin("", UNPARSED, str(number))
