"""Files of FHIR data: which of them hold data, each real file once; and Bundles that are written anew."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.fhir.bundle import Bundle, DecodedBundle, DecodedEntry, Entry, with_entries
from cds_service.fhir.files import (
    DOCUMENT_ENDINGS,
    LINE_ENDINGS,
    files_under,
    is_gzip_file,
    is_gzip_of_json,
    is_named,
    once,
)

PATIENT = b'{"resourceType": "Patient"}'


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "packed", "of_json"),
    [
        (gzip.compress(PATIENT), True, True),
        (gzip.compress(b"\xef\xbb\xbf \r\n\t" + PATIENT), True, True),
        (gzip.compress(b" " * (1024 * 1024 - 1) + PATIENT), True, True),
        (gzip.compress(b" " * (1024 * 1024) + PATIENT), True, False),
        (gzip.compress(b"[1]"), True, False),
        (gzip.compress(b""), True, False),
        (gzip.compress(PATIENT)[:12], True, False),
        (b"\x1f\x8b" + PATIENT, True, False),
        (PATIENT, False, False),
        (b"\x1f", False, False),
        (b"", False, False),
    ],
    ids=[
        "gzip", "blank before", "all but one byte blank", "too much blank", "a list", "nothing packed", "cut off",
        "damaged", "plain", "one byte", "empty",
    ],
)  # fmt: skip
def test_gzip_is_told_by_content(tmp_path: Path, content: bytes, packed: bool, of_json: bool) -> None:
    path = written(tmp_path, "data", content)
    assert (is_gzip_file(path), is_gzip_of_json(path)) == (packed, of_json)


@pytest.mark.parametrize(
    ("name", "lines", "document"),
    [
        ("a.ndjson", True, False), ("A.NDJSON.GZ", True, False), ("a.jsonl", True, False), ("a.jsonl.gz", True, False),
        ("a.json", False, True), ("a.Json.gz", False, True), ("json", False, False), ("a.json.txt", False, False),
    ],
)  # fmt: skip
def test_names_of_files(name: str, lines: bool, document: bool) -> None:
    path = Path("folder.ndjson") / name
    assert (is_named(path, LINE_ENDINGS), is_named(path, DOCUMENT_ENDINGS)) == (lines, document)


def test_files_of_a_folder_and_of_those_that_links_lead_to(tmp_path: Path) -> None:
    inner = written(tmp_path, "data/b/1.json", PATIENT)
    outer = written(tmp_path, "data/a.json", PATIENT)
    away = written(tmp_path, "elsewhere/2.json", PATIENT)
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/b/round").symlink_to(tmp_path / "data/b")
    same = tmp_path / "data/b/same.json"
    same.symlink_to(outer)
    (tmp_path / "data/broken.json").symlink_to(tmp_path / "nothing")
    found = files_under(tmp_path / "data")
    assert found == [outer, tmp_path / "data/again/2.json", inner, same]
    assert list(once(found)) == [outer, tmp_path / "data/again/2.json", inner]
    seen: set[tuple[int, int]] = set()
    assert list(once([inner, inner], seen)) == [inner]
    assert list(once([inner, outer, away], seen)) == [outer, away]


@pytest.mark.parametrize(
    ("bundle", "entries", "expected"),
    [
        ({"type": "collection", "entry": [1, 2], "total": 2}, [3], {"type": "collection", "entry": [3]}),
        ({"type": "searchset", "total": 9}, [1, 2], {"type": "searchset", "total": 2, "entry": [1, 2]}),
        ({"type": "searchset", "entry": [1]}, [], {"type": "searchset", "total": 0}),
        ({"id": "b", "entry": [1]}, [], {"id": "b"}),
    ],
    ids=["a collection", "a result", "a result of nothing", "no type"],
)
def test_a_bundle_with_other_entries(bundle: dict[str, Any], entries: list[Any], expected: dict[str, Any]) -> None:
    before = dict(bundle)
    assert with_entries(bundle, entries) == expected
    assert bundle == before


@pytest.mark.parametrize(
    ("search", "is_match"),
    [
        ({"mode": "match"}, True),
        ({"mode": "include"}, False),
        ({"mode": "outcome"}, False),
        ({}, False),
        (None, False),
        ("match", False),
    ],
    ids=str,
)
def test_what_a_search_found_is_marked(search: Any, is_match: bool) -> None:
    """An invalid mode does not reject an entry that is decoded by itself."""
    written = json.dumps({"resource": {"resourceType": "Patient"}, "search": search}).encode()
    assert msgspec.json.decode(written, type=Entry).is_match is is_match


@pytest.mark.parametrize(("mode", "is_match"), [("match", True), ("include", False), (None, False)])
def test_what_a_search_found_is_marked_in_a_bundle_that_is_decoded_at_once(mode: str | None, is_match: bool) -> None:
    written = json.dumps({"resource": {"resourceType": "Patient"}, "search": {"mode": mode}}).encode()
    assert msgspec.json.decode(written, type=DecodedEntry).is_match is is_match
    assert not msgspec.json.decode(b'{"resource": {"resourceType": "Patient"}}', type=DecodedEntry).is_match


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}], "b"),
        ([{"relation": "next"}], ""),
        ([{"relation": "self", "url": "a"}], None),
        ([], None),
        (None, None),
    ],
    ids=str,
)
def test_the_next_page_of_a_bundle(links: Any, expected: str | None) -> None:
    written = json.dumps({"resourceType": "Bundle", "link": links}).encode()
    assert msgspec.json.decode(written, type=Bundle).next_page == expected
    assert msgspec.json.decode(written, type=DecodedBundle).next_page == expected
