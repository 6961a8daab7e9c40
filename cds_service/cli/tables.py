"""`cds-service tables`: loads CMS's quarterly files, and lists, removes and compares them."""

import json
import sys
from collections.abc import Callable, Collection, Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from cds_service.audit.preview import MakeAuditorOf, preview
from cds_service.cli import examples
from cds_service.cli.audit import require_engine
from cds_service.cms.catalog import Release, catalog, missing_parts
from cds_service.cms.changes import TableChanges, between
from cds_service.cms.recognize import given
from cds_service.cms.store import Loaded, add, remove

_MOST_LINES = 50  # of one table's changes; --all prints every one

_FOLDER = click.option(
    "--dir",
    "folder",
    envvar="CDS_TABLES_DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the tables; default CDS_TABLES_DIR.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


def tables_group(scope: Callable[[], Collection[str]], auditor_of: MakeAuditorOf) -> click.Group:
    """The commands. `scope` gives the codes whose changes are shown in full, `auditor_of` the auditor of a preview."""

    @click.group("tables", epilog=examples("tables add ccipra-v323r0-f1.zip", "tables list"))
    def tables() -> None:
        """Manage the loaded CMS tables (CDS_TABLES_DIR). Running workers take changes without a restart."""

    tables.add_command(add_tables)
    tables.add_command(list_tables)
    tables.add_command(remove_tables)
    tables.add_command(_diff_command(scope, auditor_of))
    return tables


@click.command(
    "add", epilog=examples("tables add medicare-ncci-*.zip", "tables add --release 2026Q3 --setting facility edits.txt")
)
@_FOLDER
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(dir_okay=True, exists=False, path_type=Path)
)
@click.option("--release", help="Release of files that state none, such as 2026Q3; of weekly copies, the date.")
@click.option("--setting", help="Setting of files that state none: professional, facility or dme; qpp or nonqpp.")
@click.option("--replace", is_flag=True, help="Replace a table of the same release that has other content.")
def add_tables(folder: Path, files: tuple[Path, ...], release: str | None, setting: str | None, replace: bool) -> None:
    """Load CMS's files as downloaded (zip, txt, csv): PTP edits, MUE, add-on codes, fee schedule, OPPS Addendum B,
    HCPCS Level II, ASP crosswalk and payment limits, Medicare articles (current_article.zip, all_article.zip).

    The kind is told by the content. Descriptors and prose are not kept. If one file is refused, none is loaded.

    Exit code 0: loaded, or loaded before. 2: refused; nothing was changed.
    """
    added = add(folder, files, given(release, setting), replace=replace)
    for reason in added.skipped:
        click.echo(f"skipped {reason}", err=True)
    for table in added.tables:
        click.echo(_loaded(table))


def _loaded(table: Loaded) -> str:
    verb = "loaded" if table.new else "already loaded"
    return f"{verb} {table.release.name}: {table.release.rows:,} rows of {table.release.file}"


@click.command("list", epilog=examples("tables list", "tables list --json"))
@_FOLDER
@_JSON
def list_tables(folder: Path, as_json: bool) -> None:
    """List the loaded tables: name, rows, days of service, CMS's file and its SHA-256.

    Exit code 1: a file in the folder could not be read.
    """
    loaded, faults = catalog(folder)
    releases = sorted(loaded.values(), key=lambda each: (each.table, each.part or 0, each.first))
    if as_json:
        click.echo(json.dumps([_facts(release) for release in releases], indent=2))
    elif not releases:
        click.echo("no tables are loaded; the built-in ones serve")
    else:
        _print(releases)
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


def _facts(release: Release) -> dict[str, Any]:
    days = {"first": release.answers_from.isoformat(), "last": release.last.isoformat()}
    names = ("name", "table", "kind", "setting", "quarter", "part", "rows", "file", "sha256", "added")
    return {name: getattr(release, name) for name in names} | days


def _print(releases: list[Release]) -> None:
    """A line for each file, and one for the parts that a table lacks."""
    width = max(len(release.name) for release in releases)
    for _, alike in groupby(releases, key=attrgetter("table")):
        group = list(alike)
        for each in group:
            days = f"{each.answers_from.isoformat()} to {each.last.isoformat()}"
            click.echo(f"{each.name:{width}}  {each.rows:>9,} rows  {days}  {each.sha256}  {each.file}")
        if parts := missing_parts(group):
            named = ", ".join(f"f{part}" for part in parts)
            click.echo(f"{'':{width}}  not loaded: {named}; their codes are not checked", err=True)


@click.command("remove", epilog=examples("tables remove mue-facility-2026Q3"))
@_FOLDER
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove_tables(folder: Path, names: tuple[str, ...]) -> None:
    """Remove tables by NAME as in `tables list`; without its last part (the SHA-256), all parts of the table.

    Exit code 2: no such table; nothing was removed.
    """
    for release in remove(folder, names):
        click.echo(f"removed {release.name}")


def _diff_command(scope: Callable[[], Collection[str]], auditor_of: MakeAuditorOf) -> click.Command:
    @click.command("diff", epilog=examples("tables diff 2026Q3 2026Q4", "tables diff 2026Q3 2026Q4 --audit export/"))
    @_FOLDER
    @click.argument("old", metavar="OLD")
    @click.argument("new", metavar="NEW")
    @click.option("--all", "everything", is_flag=True, help=f"Print all changes, not only {_MOST_LINES} of each table.")
    @click.option(
        "--audit",
        "export",
        type=click.Path(exists=True, path_type=Path),
        metavar="EXPORT",
        help="Also audit an export without NEW and with it, and print the findings that come, go and change.",
    )
    @_JSON
    def diff(folder: Path, old: str, new: str, everything: bool, export: Path | None, as_json: bool) -> None:
        """Print the changes from release OLD to NEW: each row of a code in scope, and the number of other rows.

        OLD and NEW are quarters, or names of tables without the SHA-256. `+` is a new row, `-` a removed one, `~` a
        changed one. Each claim of an export is judged by the tables of its own date of service, so that a release of
        limits or statuses changes the findings of its own quarter only.
        """
        found = between(folder, old, new, scope())
        if as_json:
            content = {"tables": [_as_json(table) for table in found]} | _findings(export, folder, new, auditor_of)
            click.echo(json.dumps(content, indent=2, ensure_ascii=False))
            return
        for table in found:
            _print_changes(table, sys.maxsize if everything else _MOST_LINES)
        for difference in _findings(export, folder, new, auditor_of).values():
            for line in _in_words(difference):
                click.echo(line)

    return diff


def _findings(export: Path | None, folder: Path, new: str, auditor_of: MakeAuditorOf) -> dict[str, Any]:
    """The comparison under the name `audit`; empty without an export."""
    if export is None:
        return {}
    require_engine("embedded")
    return {"audit": preview(export, folder, new, auditor_of)}


def _in_words(difference: dict[str, Any]) -> Iterable[str]:
    from cds_service.audit.compare import in_words  # noqa: PLC0415  # needs the extra

    return in_words(difference)


def _as_json(table: TableChanges) -> dict[str, Any]:
    changes = [change._asdict() for change in table.changes]
    return {"table": table.title, "notCompared": table.not_compared, "changes": changes, "otherRows": table.others}


def _print_changes(table: TableChanges, most: int) -> None:
    click.echo(table.title)
    if table.not_compared:
        click.echo(f"  not compared: {table.not_compared}")
        return
    for change in table.changes[:most]:
        click.echo(f"  {change.sign} {change.row}: {change.detail}")
    if len(table.changes) > most:
        click.echo(f"  and {len(table.changes) - most:,} more in scope; --all prints them")
    click.echo(f"  {table.others:,} other rows")
