"""Lists in sentences about what passed: of many, the first and the number of the rest."""

import pytest

from hooks.coding.passing import MOST_NAMED, named


@pytest.mark.parametrize("many", [MOST_NAMED + 1, MOST_NAMED + 7])
def test_no_code_is_lost_from_the_number_of_a_long_list(many: int) -> None:
    codes = [f"A{number:04}" for number in range(many)]
    *shown, rest = named(codes).replace(" and ", ", ").split(", ")
    assert shown == codes[: MOST_NAMED - 1]
    assert rest == f"{many - len(shown)} more"


def test_a_short_list_is_written_out_without_repetition() -> None:
    codes = [f"A{number:04}" for number in range(MOST_NAMED)]
    assert named([*codes, *codes]) == f"{', '.join(codes[:-1])} and {codes[-1]}"
    assert (named(["93350"]), named([])) == ("93350", "")
