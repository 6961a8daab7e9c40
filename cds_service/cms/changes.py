"""Changes between two releases: rows that came, went or changed, in full for codes in scope, and counted for others."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from cds_service.cms.catalog import Release, catalog, missing_parts
from cds_service.cms.lookup import TableFile
from cds_service.errors import UnusableFile


class Change(NamedTuple):
    """A row that came (`+`), went (`-`) or changed (`~`). `row` is its codes, `detail` its values."""

    sign: Literal["+", "-", "~"]
    row: str
    detail: str


@dataclass(slots=True)
class TableChanges:
    """The changes of one table. `not_compared` is the reason if there are none to tell, empty otherwise."""

    title: str
    not_compared: str = ""
    changes: list[Change] = field(default_factory=list)
    others: int = 0


def between(folder: Path, old: str, new: str, scope: Collection[str]) -> Iterator[TableChanges]:
    """The changes from one release to another, by table. Each is a quarter, or a table by name (`Release.table`).

    Raises UnusableFile if either is not loaded, or if they are tables of different kinds.
    """
    loaded, _ = catalog(folder)
    sides = [_tables(loaded, name) for name in (old, new)]
    if all(len(side) == 1 for side in sides) and {old, new}.isdisjoint(each.quarter for each in loaded.values()):
        (before,), (after,) = (list(side.items()) for side in sides)
        if before[0][0] != after[0][0]:
            raise UnusableFile(f"{old}, {new}: expected two releases of one kind")
        yield _compared(before[1], after[1], loaded, scope)
        return
    for key in sorted({*sides[0], *sides[1]}):
        both = [side.get(key) for side in sides]
        if both[0] and both[1]:
            yield _compared(both[0], both[1], loaded, scope)
        else:
            only = both[0] or both[1] or []
            absent = new if both[0] else old
            yield TableChanges(loaded[only[0]].title, f"not loaded for {absent}")


def _tables(loaded: dict[Path, Release], name: str) -> dict[tuple[str, str], list[Path]]:
    """The files of a quarter or table, by kind and setting. Raises UnusableFile if there is none."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path, release in loaded.items():
        if name in {release.quarter, release.table}:
            found[release.kind, release.setting].append(path)
    if not found:
        raise UnusableFile(f"{name}: no such release or table; `cds-service tables list` names them")
    return dict(found)


def _compared(old: list[Path], new: list[Path], loaded: dict[Path, Release], scope: Collection[str]) -> TableChanges:
    before, after = ([loaded[path] for path in side] for side in (old, new))
    found = TableChanges(f"{before[0].title} → {after[0].quarter}")
    for side in (before, after):
        if parts := missing_parts(side):
            found.not_compared = f"{side[0].quarter} lacks {', '.join(f'f{part}' for part in parts)}"
            return found
    for before_rows, after_rows in _side_by_side(old, new):
        for change, codes in _changes(before_rows, after_rows):
            if any(code in scope for code in codes):
                found.changes.append(change)
            else:
                found.others += 1
    return found


def _side_by_side(old: list[Path], new: list[Path]) -> Iterator[tuple[list[Any], list[Any]]]:
    """The rows of each key in both releases."""
    files = [(number, TableFile(path)) for number, side in enumerate((old, new)) for path in sorted(side)]
    ordered = _merged(files)
    for _, alike in groupby(ordered, key=itemgetter(0)):
        rows: tuple[list[Any], list[Any]] = ([], [])
        for _, number, group in alike:
            rows[number].extend(group)
        yield rows


def _merged(files: list[tuple[int, TableFile]]) -> Iterator[tuple[str, int, list[Any]]]:
    """The groups of all files in the order of their keys."""
    streams = {index: file.groups() for index, (_, file) in enumerate(files)}
    waiting = {index: group for index, stream in streams.items() if (group := next(stream, None))}
    while waiting:
        index = min(waiting, key=lambda each: waiting[each][0])
        key, rows = waiting[index]
        yield key, files[index][0], rows
        group = next(streams[index], None)
        if group is None:
            del waiting[index]
        else:
            waiting[index] = group


def _changes(old: list[Any], new: list[Any]) -> Iterator[tuple[Change, tuple[str, ...]]]:
    """The changes of the rows of one key, with the codes of each."""
    before, after = ({row.identity: row for row in rows} for rows in (old, new))
    for identity in sorted({*before, *after}):
        earlier, later = before.get(identity), after.get(identity)
        if earlier == later:
            continue
        name = " ".join(each for each in identity if each)
        if earlier is None or later is None:
            sign: Literal["+", "-"] = "+" if earlier is None else "-"
            yield Change(sign, name, _described(later or earlier, identity)), identity
        else:
            yield Change("~", name, _differences(earlier, later)), identity


def _described(row: Any, identity: tuple[str, ...]) -> str:
    """All values that are not in the identity."""
    values = {name: _shown(value) for name, value in msgspec.structs.asdict(row).items()}
    return ", ".join(f"{_words(name)} {value}" for name, value in values.items() if value not in identity)


def _differences(old: Any, new: Any) -> str:
    before, after = (msgspec.structs.asdict(row) for row in (old, new))
    return ", ".join(
        f"{_words(name)} {_shown(before[name])} → {_shown(after[name])}"
        for name in before
        if before[name] != after[name]
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    """A value as users write it."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, date) else str(value)
