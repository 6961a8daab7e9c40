"""The files of an export: a folder of NDJSON files, or the files that a Bulk Data manifest lists, on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from cds_service.errors import UnreadableInput

ENDINGS = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of an export. `name` is its name in reports; `expected` is the number of lines by the manifest."""

    path: Path
    name: str
    size: int
    expected: int | None = None

    @property
    def is_gzip(self) -> bool:
        """True if the file is gzip."""
        return self.path.suffix == ".gz"


@dataclass(frozen=True, slots=True)
class Export:
    """The files, and notes from the manifest."""

    files: tuple[ExportFile, ...]
    notes: tuple[str, ...] = ()


class _Output(msgspec.Struct):
    url: str
    type: str = ""
    count: int | None = None


class _Manifest(msgspec.Struct):
    output: list[_Output]
    deleted: list[Any] = []
    error: list[Any] = []


def open_export(source: Path) -> Export:
    """The files of a folder or of a manifest. Raises UnreadableInput with what was expected."""
    if source.is_dir():
        manifest = source / "manifest.json"
        return _of_manifest(manifest) if manifest.is_file() else _of_folder(source)
    if source.is_file():
        return _of_manifest(source)
    raise UnreadableInput(f"{source}: no such folder or manifest")


def _of_folder(folder: Path) -> Export:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.endswith(ENDINGS))
    if not files:
        raise UnreadableInput(f"{folder}: expected files that end in {', '.join(ENDINGS)}, or a manifest.json")
    return Export(tuple(ExportFile(path, str(path.relative_to(folder)), path.stat().st_size) for path in files))


def _of_manifest(path: Path) -> Export:
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise UnreadableInput(f"{path.name}: expected a Bulk Data manifest: {error}") from None
    files = tuple(_listed(path, position, each) for position, each in enumerate(manifest.output))
    if not files:
        raise UnreadableInput(f"{path.name}: expected `output` to list files")
    return Export(files, tuple(_notes(manifest)))


def _listed(manifest: Path, position: int, output: _Output) -> ExportFile:
    """The file that an entry names: by the end of its address, packed or not, beside the manifest."""
    parts = [part for part in unquote(urlsplit(output.url).path).split("/") if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        for ending in ("", ".gz"):
            path = manifest.parent.joinpath(*parts[start:-1], parts[-1] + ending)
            if path.is_file():
                return ExportFile(path, str(path.relative_to(manifest.parent)), path.stat().st_size, output.count)
    name = parts[-1] if parts else ""
    raise UnreadableInput(
        f"{manifest.name}: output[{position}]: no file `{name}` next to the manifest; download it first"
    )


def _notes(manifest: _Manifest) -> list[str]:
    notes = []
    if manifest.deleted:
        notes.append("The manifest lists deleted resources, which are not removed: audit a full export instead.")
    if manifest.error:
        notes.append("The manifest lists server errors: part of the record may be missing from the export.")
    return notes
