"""A preview of new tables: an export is audited without them and with them, and the findings are compared."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cds_service.audit.exports import open_export
from cds_service.audit.reviewer import Auditor
from cds_service.audit.workers import Workers
from cds_service.cms.catalog import catalog
from cds_service.errors import UnusableFile

# Creates the auditor that uses the tables of a folder, in each worker process.
MakeAuditorOf = Callable[[Path], Callable[[], Auditor]]


def preview(export: Path, folder: Path, new: str, make: MakeAuditorOf) -> dict[str, Any]:
    """The comparison of two audits as `compare` returns it: without the release `new`, and with all loaded tables.

    `new` is a quarter or a table by name. Raises UnusableFile if it is not loaded, UnreadableInput for the export.
    """
    from cds_service.audit.compare import compare, open_audit  # noqa: PLC0415  # needs the extra

    loaded, _ = catalog(folder)
    chosen = [path for path, release in loaded.items() if new in {release.quarter, release.table}]
    if not chosen:
        raise UnusableFile(f"{new}: no such release or table is loaded; `cds-service tables list` shows them")
    with TemporaryDirectory(prefix="cds-tables-") as work, _folder_of(loaded.keys() - set(chosen)) as without:
        audits = []
        for name, tables in (("without", without), ("with", folder)):
            out = Path(work) / name
            _audit(export, out, make(tables))
            audits.append(open_audit(out))
        return compare(*audits)


def _audit(export: Path, out: Path, make: Callable[[], Auditor]) -> None:
    with Workers(make, jobs=1) as workers:
        from cds_service.audit.run import Options, run_audit  # noqa: PLC0415  # needs the extra

        run_audit(open_export(export), workers, Options(out=out), _NoProgress())


@contextmanager
def _folder_of(paths: Iterable[Path]) -> Iterator[Path]:
    """A folder with links to some of the tables."""
    with TemporaryDirectory(prefix="cds-tables-") as name:
        for path in paths:
            (Path(name) / path.name).symlink_to(path.resolve())
        yield Path(name)


class _NoProgress:
    def begin(self, step: str, total: float, unit: str) -> None: ...

    def advance(self, amount: float) -> None: ...
