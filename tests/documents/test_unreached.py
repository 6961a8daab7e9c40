"""No assert of the tests can be passed over in silence: the law is in `unreached.py`."""

from pathlib import Path

import pytest

from tests.documents.unreached import constants, unreached
from tests.support.running import ROOT
from tests.support.sources import by_folder

MODULES = sorted((ROOT / "tests").rglob("*.py"))
assert len(MODULES) > 100


@by_folder(MODULES)
def test_every_assert_is_reached(paths: list[Path]) -> None:
    assert paths
    assert {path: found for path in paths if (found := unreached(path.read_text(), constants(path)))} == {}


def in_a_test(body: str) -> str:
    return "def test_it(found, other):\n    " + body.replace("\n", "\n    ")


@pytest.mark.parametrize(
    "body",
    [
        "for each in found:\n    assert each",
        "for each in sorted(found.items()):\n    assert each",
        "for each in [*found]:\n    assert each",
        "for each in found[:3]:\n    assert each",
        "for each in range(0):\n    assert not each",
        "for one, two in zip((1, 2), found):\n    assert one == two",
        "for each in (1, 2):\n    for inner in each.parts:\n        assert inner",
        "assert other\nfor each in found:\n    assert each",
        "assert found or other\nfound = other.found\nfor each in found:\n    assert each",
        "assert len(found) >= 0\nfor each in found:\n    assert each",
        "assert found == []\nfor each in found:\n    assert each",
        "assert all(each for each in found)",
        "assert not any(each for each in found)",
        "assert [each for each in found if each] == []",
        "assert not [each for each in found if each]",
        "left = [each for each in found if each]\nassert left == []",
        "left = {each for each in found if each}\nassert not left",
        "seen = 0\nfor each in found:\n    assert each\n    seen += 1\nassert other",
        "if found:\n    assert other",
        "if found:\n    pass\nelse:\n    assert other",
        "if found:\n    return\nassert other",
        "for each in (1, 2):\n    if each in found:\n        continue\n    assert each",
        "try:\n    other()\nexcept ValueError as error:\n    assert str(error)",
        "match found:\n    case 1:\n        assert other\n    case _:\n        pass",
        "def inner():\n    for each in found:\n        assert each\ninner()",
    ],
)
def test_an_assert_that_may_not_be_reached_is_found(body: str) -> None:
    (fault,) = unreached(in_a_test(body))
    assert fault.startswith("line ")


@pytest.mark.parametrize(
    "body",
    [
        "for each in (1, 2):\n    assert each",
        "for each in range(3):\n    assert each < 3",
        "for each in KNOWN:\n    assert each",
        "for each in sorted({name: 1 for name in KNOWN}.items()):\n    assert each",
        "assert found\nfor each in found:\n    assert each",
        "assert len(found) == 3\nfor each in enumerate(found):\n    assert each",
        "assert 0 < len(found) < 9\nfor each in found:\n    assert each",
        "assert 'a' in found\nfor each in found.values():\n    assert each",
        "assert {each.name for each in found} == {'a'}\nfor each in found:\n    assert each",
        "assert any(each.name for each in found)\nassert all(each for each in found)",
        "first, *_ = found\nfor each in found:\n    assert each",
        "assert found\nassert all(each for each in found)",
        "assert [each.name for each in found] == []",
        "seen = 0\nfor each in found:\n    assert each\n    seen += 1\nassert seen == 3",
        "seen = []\nfor each in found:\n    assert each\n    seen.append(each)\nassert seen or other == 'none'",
        "if found:\n    assert other\nelse:\n    assert not other",
        "if found:\n    assert other\nelse:\n    raise ValueError",
        "if found:\n    assert other\n    return\nassert not other",
        "try:\n    found = other()\nexcept ValueError as error:\n    assert str(error)\nelse:\n    assert found",
        "seen = []\ndef f():\n    for each in found:\n        seen.append(each)\n        assert each\nf()\nassert seen",
    ],
)
def test_an_assert_that_is_reached_is_not_found(body: str) -> None:
    assert unreached(in_a_test(body), frozenset({"KNOWN"})) == []


def test_constants_are_known_by_their_literal_or_by_an_assert_of_their_module() -> None:
    known = constants(ROOT / "tests" / "http" / "test_fetch.py")
    assert {"SAMPLES", "FETCHED"} <= known, "one is imported and asserted there, one is a literal"
    assert "IN_ORDER" not in known
