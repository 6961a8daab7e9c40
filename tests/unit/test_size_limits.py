"""The limits on nesting and on lists, at their edges, and the lengths of texts that hold brackets and commas."""

import json
from typing import Any

import pytest

from cds_service.cdshooks.size_limits import MAX_LEVELS, is_too_deep, require_short_lists, require_within_limits
from cds_service.errors import BadRequest, TooLarge
from cds_service.fhir import resources as r
from cds_service.fhir.bundle import DecodedBundle, DecodedEntry

MOST = 20


def nested(levels: int, inside: str = "") -> bytes:
    return ("[" * levels + inside + "]" * levels).encode()


@pytest.mark.parametrize("inside", ["", '"a"', '{"a": 1}, [1, 2]'])
def test_a_body_of_so_many_levels_is_accepted_and_one_more_is_not(inside: str) -> None:
    room = MAX_LEVELS - ("{" in inside)
    require_within_limits(nested(room, inside), MOST)
    assert not is_too_deep(nested(room, inside))
    assert is_too_deep(nested(room + 1, inside))
    with pytest.raises(BadRequest, match=f"more than {MAX_LEVELS} levels deep"):
        require_within_limits(nested(room + 1, inside), MOST)


def test_brackets_that_are_never_closed_are_levels_too() -> None:
    assert is_too_deep(b"[" * (MAX_LEVELS + 1))
    assert not is_too_deep(b"[" * MAX_LEVELS)


@pytest.mark.parametrize("around", [lambda x: x, lambda x: {"a": [1, x, [2]]}, lambda x: [[1, 2], [x], [3, 4]]])
@pytest.mark.parametrize(
    "element", [1, "a, b", "[[", {"a": 1, "b": [1, 2, 3]}, [[1, 2], [3]], [0] * 12, 'say "a, b", or \\']
)
def test_a_list_of_so_many_elements_is_accepted_and_one_more_is_not(element: Any, around: Any) -> None:
    fits, exceeds = (json.dumps(around([element] * number)).encode() for number in (MOST, MOST + 1))
    assert require_within_limits(fits, MOST) is fits
    with pytest.raises(TooLarge, match=f"a list in the body has more than {MOST} elements"):
        require_within_limits(exceeds, MOST)


def test_an_object_of_too_many_members_is_refused() -> None:
    members = {str(number): number for number in range(MOST + 1)}
    with pytest.raises(TooLarge):
        require_within_limits(json.dumps(members).encode(), MOST)


def test_many_short_lists_are_refused_only_beyond_the_objects_of_a_bundle() -> None:
    objects = 50 * MOST
    assert require_within_limits(spread(objects), MOST)
    with pytest.raises(TooLarge, match="more objects than this service accepts"):
        require_within_limits(spread(objects + 1), MOST)


def spread(objects: int) -> bytes:
    """So many lists in all, none of them long or deep: rows of cells, each a list in a list and so on."""
    cells = MOST * MOST
    depth, deeper = divmod(objects - 1 - MOST, cells)
    texts = ["[" * (depth + (number < deeper)) + "]" * (depth + (number < deeper)) for number in range(cells)]
    rows = [f"[{','.join(texts[start : start + MOST])}]" for start in range(0, cells, MOST)]
    return f"[{','.join(rows)}]".encode()


def bundle(*resources: Any) -> DecodedBundle:
    return DecodedBundle(entry=tuple(DecodedEntry(each) for each in resources))


def test_the_lists_that_are_iterated_are_counted() -> None:
    claim = r.Claim(status="active", item=tuple(r.ClaimItem() for _ in range(MOST)))
    require_short_lists(claim, MOST)
    require_short_lists(bundle(*[claim] * MOST), MOST)
    longer = r.Claim(status="active", item=tuple(r.ClaimItem() for _ in range(MOST + 1)))
    for value in (longer, bundle(longer), bundle(*[claim] * (MOST + 1))):
        with pytest.raises(TooLarge):
            require_short_lists(value, MOST)
