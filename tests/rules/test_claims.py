"""Lines that share a claim, and verdicts if the tables of the two settings differ."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from cds_service.core.case import Case, Line, Origin
from cds_service.core.changes import RemoveLine
from cds_service.core.lazy_records import Records
from cds_service.core.rules import Finding, Passed, Undecided
from cds_service.core.tables import Source, Table
from hooks.codes.tables import PairRow
from hooks.coding import pairs as pairs_module
from hooks.coding import published as published_module
from hooks.coding.claims import component, settings_of, share_a_claim
from hooks.coding.contrast import documented_units
from hooks.coding.studies import Study
from hooks.coding.waste import leftover_of
from hooks.rules import pair_conflict as pair_conflict_module
from hooks.rules.pair_conflict import pair_conflict
from hooks.rules.supply_not_owner import supply_not_owner
from hooks.rules.units_over_limit import units_over_limit
from tests.support.notation import parse_line

DAY = date(2026, 3, 2)


def line(text: str, claim_type: str = "unknown", claim: str = "", place: str | None = None) -> Line:
    code, modifiers, _ = parse_line(text)
    return Line(
        origin=Origin(f"{claim}{text}", text),
        code=code,
        modifiers=modifiers,
        claim_type=claim_type,  # type: ignore[arg-type]
        claim=claim,
        day=DAY,
        place_of_service=place,
        under_review=True,
    )


@pytest.mark.parametrize(
    ("text", "claim_type", "expected"),
    [
        ("93350", "professional", ("professional",)),
        ("93350", "institutional", ("facility",)),
        ("93350-26", "unknown", ("professional",)),
        ("93018", "unknown", ("professional",)),
        ("C8930", "unknown", ("facility",)),
        ("C8930", "professional", ("professional",)),
        ("93350-TC", "unknown", ("professional", "facility")),
        ("93350", "unknown", ("professional", "facility")),
    ],
)
def test_the_setting_of_a_line(text: str, claim_type: str, expected: tuple[str, ...]) -> None:
    assert settings_of(line(text, claim_type)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("93350", None), ("93350-26", "professional"), ("93350-TC", "technical"), ("93016", "professional"),
     ("93017", "technical"), ("93015", None), ("99213", None)],
)  # fmt: skip
def test_the_component_of_a_line(text: str, expected: str | None) -> None:
    assert component(line(text)) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (line("93350", claim="a"), line("93351", claim="a"), True),
        (line("93350-26", claim="a"), line("93351", claim="a"), True),
        (line("93350", "professional", "a"), line("93351", "professional", "b"), True),
        (line("93350", "professional", "a"), line("93351", "institutional", "b"), False),
        (line("93350", claim="a"), line("93351"), False),
        (line("93350"), line("93351"), True),
        (line("93350-26"), line("93018"), True),
        (line("93350-26"), line("93017"), False),
        (line("93351-26"), line("C8930"), False),
        (line("93018"), line("C8930"), False),
        (line("93350"), line("C8930"), True),
        (line("93350-26"), line("93306"), None),
        (line("93350-TC"), line("93306"), None),
        (line("93350-26", claim="a"), line("93306", "professional", "b"), None),
    ],
)
def test_lines_on_one_bill(one: Line, other: Line, expected: bool | None) -> None:
    assert share_a_claim(one, other) is expected
    assert share_a_claim(other, one) is expected


def pairs(*rows: PairRow) -> Table[PairRow]:
    source = Source(publisher="CMS", document="a file", year=2026, verified_through=date(2026, 9, 30))
    return Table("pairs", "Pairs", {"one": source}, rows)


def row(setting: str, last: date | None = None, **lists: tuple[str, ...]) -> PairRow:
    return PairRow(
        code="93351",
        setting=setting,  # type: ignore[arg-type]
        first=date(2024, 7, 1),
        last=last,
        source="one",
        verified_through=date(2026, 9, 30),
        **lists,  # type: ignore[arg-type]
    )


def compared(lines: list[Line]) -> set[tuple[str, str]]:
    """Each line with the note of its edit, or with the reason why its pair is not decided."""
    said = set[tuple[str, str]]()
    for each in pair_conflict.check(Case(stage="claim", lines=Records(lines))):
        if isinstance(each, Finding):
            said |= {(f"{each.notes[0].partition(':')[2]}", item.record.origin.resource) for item in each.evidence}
            said |= {
                ("removed", change.line.origin.resource)
                for fix in each.fixes
                for change in fix.changes
                if isinstance(change, RemoveLine)
            }
        elif isinstance(each, Undecided):
            said |= {(each.reason, item.record.origin.resource) for item in each.evidence}
    return said


LINES = st.tuples(
    st.sampled_from(["93350", "93306", "93306-26", "93350-TC", "93351", "93351-26", "93017"]),
    st.sampled_from(["professional", "institutional", "unknown"]),
    st.sampled_from(["", "a", "b", "c"]),
)

# The physician's share and the hospital's are of one claim, or apart.
SHARES = ("93351-26", "93351-26", "93017", "93017")


@given(st.lists(LINES, min_size=2, max_size=9, unique=True))
@example([("93350", "unknown", "a"), ("93306-26", "unknown", "a"), ("93306-26", "unknown", "b")])
@example([("93350", "unknown", "a"), ("93306-26", "unknown", "b"), ("93306-26", "unknown", "c")])
@example([("93350", "unknown", "a"), ("93351", "unknown", "a"), ("93306", "unknown", "b"), ("93350", "unknown", "b")])
@example(
    [("93351-26", "unknown", "a"), ("93351-26", "unknown", "b"), ("93017", "unknown", "b"), ("93017", "unknown", "c")]
)
@example(
    [("93351-26", "unknown", "a"), ("93351-26", "unknown", "b"), ("93017", "unknown", "c"), ("93017", "unknown", "a")]
)
def test_many_lines_are_compared_as_each_two_of_them(drawn: list[tuple[str, str, str]]) -> None:
    """Lines that are alike are compared together, since a call may have thousands: that changes no verdict."""
    lines = [line(text, claim_type, claim and f"{claim_type} {claim}") for text, claim_type, claim in drawn]
    lines = [replace(each, origin=Origin(f"{number}", each.code)) for number, each in enumerate(lines)]
    by_twos = [compared([one, other]) for number, one in enumerate(lines) for other in lines[number + 1 :]]
    assert compared(lines) == set().union(*by_twos)


def verdicts(table: Table[PairRow], monkeypatch: pytest.MonkeyPatch, claim_type: str = "unknown") -> list[type]:
    for module in (pairs_module, pair_conflict_module, published_module):
        monkeypatch.setattr(module, "PAIRS", table)
    claim = "a" if claim_type != "unknown" else ""
    case = Case(stage="claim", lines=Records([line("93350", claim_type, claim), line("93351", claim_type, claim)]))
    return [type(each) for each in pair_conflict.check(case) if not isinstance(each, Passed)]


def test_where_the_settings_differ_an_unknown_setting_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    never_and_sometimes = pairs(row("professional", never=("93350",)), row("facility", with_modifier=("93350",)))
    assert verdicts(never_and_sometimes, monkeypatch) == [Undecided]
    only_one = pairs(row("professional", never=("93350",)))
    assert verdicts(only_one, monkeypatch) == [Undecided]
    assert verdicts(only_one, monkeypatch, "professional") == [Finding]
    assert verdicts(only_one, monkeypatch, "institutional") == []


def test_a_pair_that_ended_is_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = date(2025, 12, 31)
    both = pairs(row("professional", ended, never=("93350",)), row("facility", ended, never=("93350",)))
    assert verdicts(both, monkeypatch) == []


def test_a_supply_on_a_claim_of_unknown_kind_for_a_facility_is_not_checked() -> None:
    supply = line("Q9957", claim="a", place="22")
    assert [type(each) for each in supply_not_owner.check(Case(stage="claim", lines=Records([supply])))] == [Undecided]


def test_lines_that_contradict_each_other_are_not_judged_by_the_limit_of_one_setting() -> None:
    """A hospital's code with 26, on a claim whose type is not known, is of neither setting."""
    lines = [replace(line(text, claim="a"), units=Decimal(2)) for text in ("C8930", "C8930-26")]
    (found,) = units_over_limit.check(Case(stage="claim", lines=Records(lines)))
    assert isinstance(found, Undecided)
    assert found.reason == "the MUE table does not cover C8930 for this date of service and claim type"


def test_a_code_of_no_product_has_no_units_and_nothing_left_over() -> None:
    study = Study(kind="stress", day=DAY, records=(), lines=(), procedures=(), administrations=(), orders=())
    assert documented_units("A9700", study).units is None
    assert leftover_of("A9700", study) is None
