"""The files of an export: a folder of NDJSON and 837 files, or those that a Bulk Data manifest lists, on disk."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from cds_service.errors import UnreadableInput
from cds_service.fhir.files import LINE_ENDINGS, MANIFEST, files_under, is_gzip_file, is_gzip_of_json, is_named, once
from cds_service.intake.x12.lines import claim_lines, other_set_in
from cds_service.intake.x12.segments import is_x12_file
from cds_service.languages.worded import name, prose, worded

_MOST_NAMES = 5  # of files in a note


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of an export. `name` is its name in reports; `expected` is the number of lines by the manifest."""

    path: Path
    name: str
    size: int
    expected: int | None = None

    @property
    def is_gzip(self) -> bool:
        """True if the file is gzip, by its first bytes. Raises OSError."""
        return is_gzip_file(self.path)

    @property
    def is_x12(self) -> bool:
        """True if the file is X12, plain or gzip, by its first bytes. Raises OSError."""
        return is_x12_file(self.path)

    @property
    def is_read_by_name(self) -> bool:
        """True if Spark reads the file as it is: it knows gzip by the ending only, and no X12. Raises OSError."""
        return not self.is_x12 and self.is_gzip == self.path.name.endswith(".gz")


@dataclass(frozen=True, slots=True)
class Export:
    """The files, and notes from the manifest and on files that are not read."""

    files: tuple[ExportFile, ...]
    notes: tuple[str, ...] = ()


class _Output(msgspec.Struct):
    url: str
    type: str | None = None
    count: int | None = None


class _Manifest(msgspec.Struct):
    """A manifest; null is the same as an absent member."""

    output: list[_Output] | None
    deleted: list[Any] | None = None
    error: list[Any] | None = None


def open_export(source: Path) -> Export:
    """The files of a folder or of a manifest, each real file once. Raises UnreadableInput with what was expected."""
    try:
        if source.is_dir():
            manifest = source / MANIFEST
            return _of_manifest(manifest) if manifest.is_file() else _of_folder(source)
        if source.is_file():
            return _of_claims(source) if is_x12_file(source) else _of_manifest(source)
    except OSError as error:
        raise UnreadableInput(f"{error.filename or source}: {error.strerror or 'cannot be read'}") from None
    raise UnreadableInput(f"{source}: no such folder or manifest")


def _of_folder(folder: Path) -> Export:
    seen = set[tuple[int, int]]()
    every = [path for path in files_under(folder) if not path.name.startswith(".")]
    other_sets = {path: other for path in every if is_x12_file(path) and (other := other_set_in(path))}
    read = list(once((path for path in every if path not in other_sets and _is_read(path)), seen))
    if not read:
        expected = f"files that end in {', '.join(LINE_ENDINGS)}, 837 files, or a {MANIFEST}"
        raise UnreadableInput(f"{folder}: expected {expected}")
    names = {path: str(path.relative_to(folder)) for path in once(every, seen)}
    notes = [
        worded("Not read: {file} is {other}, not an 837.", file=names[path], other=prose(other))
        for path, other in other_sets.items()
        if path in names
    ]
    unread = [each for path, each in names.items() if path not in other_sets]
    return Export(tuple(_file(path, folder) for path in read), (*_unread_note(unread), *notes))


def _is_read(path: Path) -> bool:
    return is_named(path, LINE_ENDINGS) or is_x12_file(path) or is_gzip_of_json(path)


def _of_claims(path: Path) -> Export:
    """A file of claims alone."""
    if other := other_set_in(path):
        raise UnreadableInput(f"{path.name}: expected an 837P or 837I, found {other}")
    return Export((_file(path, path.parent),))


def _file(path: Path, folder: Path, expected: int | None = None) -> ExportFile:
    return ExportFile(path, str(path.relative_to(folder)), path.stat().st_size, expected)


def _unread_note(names: list[str]) -> Iterator[str]:
    """A note on the files of a folder that are not read, since they may hold part of the export."""
    if names:
        named, endings = name(", ".join(names[:_MOST_NAMES])), ", ".join(LINE_ENDINGS)
        if len(names) > _MOST_NAMES:
            named = worded("{names} and {number} more", names=named, number=len(names) - _MOST_NAMES)
        yield worded(
            "Not read: {files}; expected files that end in {endings}, gzip of NDJSON, or X12.",
            files=named,
            endings=endings,
        )


def _of_manifest(path: Path) -> Export:
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableInput(f"{path.name}: expected a Bulk Data manifest: {error}") from None
    listed = {_listed(path, position, each): each.count for position, each in enumerate(manifest.output or ())}
    if not listed:
        raise UnreadableInput(f"{path.name}: expected `output` to list files")
    files = tuple(_file(each, path.parent, listed[each]) for each in once(listed))
    return Export(files, tuple(_notes(manifest)))


def _listed(manifest: Path, position: int, output: _Output) -> Path:
    """The file of an entry, found next to the manifest by the end of its URL, plain or gzip."""
    parts = [part for part in unquote(urlsplit(output.url).path).split("/") if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        for ending in ("", ".gz"):
            path = manifest.parent.joinpath(*parts[start:-1], parts[-1] + ending)
            if path.is_file():
                return path
    wanted = parts[-1] if parts else ""
    raise UnreadableInput(
        f"{manifest.name}: output[{position}]: no file `{wanted}` next to the manifest; download it first"
    )


def _notes(manifest: _Manifest) -> Iterator[str]:
    if manifest.deleted:
        yield worded("The manifest lists deleted resources, which are not removed: audit a full export instead.")
    if manifest.error:
        yield worded("The manifest lists server errors: part of the record may be missing from the export.")


def lines_by_content(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of an 837 file, or of one whose ending does not tell if it is gzip, each with the file's address."""
    address = path.absolute().as_uri()
    if is_x12_file(path):
        yield from ((line, address) for line in claim_lines(path))
        return
    opener = gzip.open if is_gzip_file(path) else open
    with opener(path, "rb") as file:
        for line in file:
            yield line.decode("utf-8", "replace").removesuffix("\n"), address
