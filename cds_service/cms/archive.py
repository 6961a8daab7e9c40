"""Downloads: the texts in a zip or a plain file, opened as streams and within limits."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO

from cds_service.cms.text import CP1252_BYTES
from cds_service.errors import UnusableFile

HEAD = 64 * 1024  # characters by which a kind is told
MOST_MEMBERS = 200
MOST_BYTES = 1 << 30  # of one text; the largest that CMS publishes has some 50 MB
MOST_PACKED = 256 << 20  # of a zip in a zip; the largest that CMS publishes has some 25 MB
MOST_RATIO = 150  # of a text's size to its size in the zip; true tables stay under 30
_RATIO_FROM = 8 << 20  # bytes; small texts may be all blanks

_ZIP, _PDF, _OLE = b"PK\x03\x04", b"%PDF-", b"\xd0\xcf\x11\xe0"
_EMPTY_ZIP = b"PK\x05\x06"
_WORKBOOK = (
    "a text or a zip, not an Excel workbook: add the .txt or .csv that CMS publishes of it, as a file or in the zip"
)


class _Stream(io.RawIOBase):
    """A stream that keeps the SHA-256 of what was read, and refuses more than `limit` bytes."""

    def __init__(self, source: IO[bytes], limit: int, reason: str) -> None:
        self.digest = hashlib.sha256()
        self._source = source
        self._left = limit
        self._reason = reason

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never; a text is opened again instead."""
        return False

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer. Raises UnusableFile beyond the limit."""
        data = self._source.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise UnusableFile(self._reason)
        buffer[: len(data)] = data
        self.digest.update(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a download. `name` is its own name, `member` its path in a zip, empty for a plain file.

    `inside` is the path of the zip in the zip that has the member, empty for the outer one; `packed` are its bytes.
    """

    path: Path
    name: str
    member: str = ""
    inside: str = ""
    packed: bytes = field(default=b"", repr=False, compare=False)

    @property
    def place(self) -> str:
        """The name for errors: the file, and its member."""
        return ": ".join(each for each in (self.path.name, self.inside, self.member) if each)

    def head(self) -> str:
        """The first characters."""
        with self._bytes() as stream:
            data = io.BufferedReader(stream).read(HEAD)
        return data.decode("utf-8-sig", CP1252_BYTES)

    def packed_bytes(self) -> bytes:
        """All bytes, as those of a zip. Raises UnusableFile if there are too many."""
        with self._bytes() as stream:
            data = io.BufferedReader(stream).read(MOST_PACKED + 1)
        if len(data) > MOST_PACKED:
            raise UnusableFile(f"expected a zip of at most {MOST_PACKED >> 20} MB in the zip")
        return data

    @contextmanager
    def opened(self) -> Iterator[tuple[TextIO, "hashlib._Hash"]]:
        """The text and the SHA-256 of its bytes, which is complete when the text was read to its end."""
        with self._bytes() as stream:
            buffered = io.BufferedReader(stream, 1 << 20)
            yield io.TextIOWrapper(buffered, encoding="utf-8-sig", errors=CP1252_BYTES, newline=""), stream.digest

    @contextmanager
    def _bytes(self) -> Iterator[_Stream]:
        try:
            if not self.member:
                with self.path.open("rb") as source:
                    yield _Stream(source, MOST_BYTES, f"expected at most {MOST_BYTES >> 20} MB")
                return
            with ExitStack() as opened:
                whole = io.BytesIO(self.packed) if self.inside else self.path
                archive = opened.enter_context(zipfile.ZipFile(whole))
                member = opened.enter_context(_unpacked(archive, self.member))
                size = archive.getinfo(self.member).compress_size
                limit = min(MOST_BYTES, max(_RATIO_FROM, MOST_RATIO * size))
                yield _Stream(member, limit, f"expected a text that unpacks to less than {MOST_RATIO} times its size")
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise UnusableFile("expected a complete zip; download it again") from None
        except OSError as error:
            raise _unreadable(error) from None


def _unpacked(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    """The stream of a member. Raises UnusableFile for a password or an unknown method."""
    try:
        return archive.open(member)
    except (RuntimeError, NotImplementedError):
        raise UnusableFile("expected a zip without password, packed as CMS packs it (deflate)") from None


def _unreadable(error: OSError) -> UnusableFile:
    return UnusableFile(f"could not be read: {error.strerror or 'input/output error'}")


def texts_in(path: Path) -> list[Text]:
    """The texts of a download: those in a zip, or the file itself. Raises UnusableFile, without the file's name."""
    try:
        with path.open("rb") as source:
            start = source.read(HEAD)
    except OSError as error:
        raise _unreadable(error) from None
    if not start:
        raise UnusableFile("expected a table; the file is empty")
    if start.startswith((_ZIP, _EMPTY_ZIP)):
        return _members(path)
    if start.startswith(_PDF):
        raise UnusableFile("expected a text (.txt or .csv) or a zip, not a PDF")
    if start.startswith(_OLE):
        raise UnusableFile(f"expected {_WORKBOOK}")
    return [Text(path, path.name)]


def _members(path: Path) -> list[Text]:
    """The texts of a zip by content, whatever their names, and of the zips of CSV in it.

    Raises UnusableFile if there is none.
    """
    members = [Text(path, Path(name).name, name) for name in _names(path)]
    texts = [text for text in members if not text.head().startswith(("PK\x03\x04", "%PDF-"))]
    for text in members:
        if text.name.lower().endswith("_csv.zip"):
            packed = text.packed_bytes()
            names = _names(io.BytesIO(packed))
            texts += [Text(path, Path(name).name, name, text.member, packed) for name in names]
    if not texts:
        named = ", ".join(text.name for text in members[:3]) or "nothing"
        raise UnusableFile(f"expected a .txt or .csv in the zip, found {named}")
    return texts


def _names(whole: Path | io.BytesIO) -> list[str]:
    """The paths of the files in a zip. Raises UnusableFile."""
    try:
        with zipfile.ZipFile(whole) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if any(info.filename == "[Content_Types].xml" for info in infos):
                raise UnusableFile(f"expected {_WORKBOOK}")
            if len(infos) > MOST_MEMBERS:
                raise UnusableFile(f"expected at most {MOST_MEMBERS} files in the zip")
    except zipfile.BadZipFile:
        raise UnusableFile("expected a complete zip; download it again") from None
    except OSError as error:
        raise _unreadable(error) from None
    return [info.filename for info in infos]
