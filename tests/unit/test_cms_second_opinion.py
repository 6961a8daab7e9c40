"""DuckDB's reader of CSV as a second opinion on what `cds-service tables add` loads: as many rows."""

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from cds_service.cli.main import main
from tests.support import cms_files as cms
from tests.unit.test_cms_layouts import ORIGINALS

CODES = [f"{number:05d}" for number in range(10_021, 69_990, 211)]
LETTERED = [f"J{number:04d}" for number in range(100, 9_900, 37)]
# Occurs in no line, so that a line of fixed width is one cell.
WHOLE_LINE = "\x01"


@dataclass(frozen=True)
class Opinion:
    """The places of a kind of table for DuckDB: its separator, and the expressions of the code and of what is a row."""

    separator: str = ","
    code: str = "c0"
    is_row: str = "true"


OPINIONS = {
    "ptp": Opinion("\t"),
    "mue": Opinion(),
    "add-ons": Opinion(WHOLE_LINE, "substr(c0, 2, 5)"),
    "fees": Opinion(),
    "opps": Opinion(),
    "hcpcs": Opinion(code="trim(c0)", is_row="c2 IN ('3', '7')"),
    "hcpcs, fixed width": Opinion(WHOLE_LINE, "trim(substr(c0, 1, 5))", "substr(c0, 11, 1) IN ('3', '7')"),
    "asp-crosswalk": Opinion(),
    "asp-limits": Opinion(),
}
STATES_ITS_QUARTER = {"fees", "opps", "asp-crosswalk", "asp-limits"}
A_CODE = "[0-9A-Z][0-9]{3}[0-9A-Z]|[0-9A-Z]{2}"


def counted(copy: Path, content: bytes, opinion: Opinion) -> int:
    """The rows of codes in a text of CMS, as DuckDB reads it; rows that repeat each other count once.

    It reads a copy with line feeds alone: lines that end otherwise than the quoted ones are a fault to it.
    """
    copy.write_bytes(content.replace(b"\r\n", b"\n"))
    width = max(line.count(opinion.separator) for line in content.decode("latin-1").splitlines()) + 1
    quote = "'\"'" if opinion.separator == "," else "''"
    query = f"""
        SELECT DISTINCT * FROM read_csv(
            $path, columns = $columns, delim = $separator, quote = {quote}, escape = {quote}, encoding = 'latin-1',
            header = false, auto_detect = false, null_padding = true, parallel = false
        ) WHERE regexp_full_match({opinion.code}, '{A_CODE}') AND {opinion.is_row}
    """
    columns = {f"c{number}": "VARCHAR" for number in range(width)}
    with duckdb.connect() as database:
        asked = {"path": str(copy), "columns": columns, "separator": opinion.separator}
        return len(database.execute(query, asked).fetchall())


def loaded(folder: Path, path: Path, *options: str) -> tuple[str, int]:
    """The kind of table that the command makes of a file, and the number of its rows."""
    done = CliRunner().invoke(main, ["tables", "add", "--dir", str(folder), *options, str(path)])
    assert done.exit_code == 0, done.output
    listed = CliRunner().invoke(main, ["tables", "list", "--dir", str(folder), "--json"])
    (release,) = json.loads(listed.output)
    return release["kind"], release["rows"]


# --- invented rows in the true layouts --------------------------------------------------------------------------------

# Each file repeats its last row, which counts once, and has what a reader may stumble over: notices with line breaks, a
# pair in two periods, a code with modifiers, records that continue a description, values that are not stated.
FILES = {
    "ptp": cms.ptp(
        edit
        for code in (*CODES, CODES[-1])
        for edit in [(code, "99999", "20130401", "20201231", "0"), (code, "99999", "20210101", "*", "1")]
    ),
    "mue": cms.mue([(code, "2", "3") for code in (*CODES, CODES[-1])]),
    "add-ons": cms.add_ons([("1", code, "93350", "2013-04-01", "") for code in (*CODES, CODES[-1])]),
    "fees": cms.fees(
        [(code, part, "A", "1", "1.00", "2.00", "2.00") for code in (*CODES, CODES[-1]) for part in ("", "26", "TC")]
    ),
    "opps": cms.addendum_b([(code, "S", "5524", "$1,234.56") for code in (*CODES, CODES[-1])]),
    "hcpcs": cms.hcpcs(
        [(code, record, "20080101", "") for code in (*LETTERED, "JZ", LETTERED[-1]) for record in ("3", "4")]
    ),
    "hcpcs, fixed width": cms.hcpcs_fixed(
        [(code, record, "20080101", "") for code in (*LETTERED, "JZ", LETTERED[-1]) for record in ("3", "4")]
    ),
    "asp-crosswalk": cms.crosswalk([(code, "11994-0011-04", "2") for code in (*LETTERED, LETTERED[-1])]),
    "asp-limits": cms.payment_limits([(code, "61.234") for code in (*LETTERED, LETTERED[-1])]),
}


@pytest.mark.parametrize("name", OPINIONS)
def test_as_many_rows_are_loaded_as_duckdb_reads(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_bytes(FILES[name])
    setting = ["--setting", "professional"] if name == "ptp" else []
    setting = ["--setting", "nonqpp"] if name == "fees" else setting
    release = [] if name in STATES_ITS_QUARTER else ["--release", "2026Q4"]
    kind, rows = loaded(tmp_path / "tables", path, *release, *setting)
    assert kind == name.partition(",")[0]
    assert rows == counted(tmp_path / "copy", FILES[name], OPINIONS[name]) >= len(LETTERED)


# --- true files -------------------------------------------------------------------------------------------------------

TRUE_FILES = {
    "ptp": ("cci*-v*.txt", 2),
    "mue": ("MCR_MUE*.csv", 4),
    "add-ons": ("AOC*.txt", 1),
    "fees": ("PPRRVU*.csv", 1),
    "hcpcs": ("HCPC2*.csv", 1),
    "hcpcs, fixed width": ("HCPC2*.txt", 1),
    "asp-crosswalk": ("*Crosswalk*.csv", 1),
    "asp-limits": ("*Payment Limit*.csv", 1),
}


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="CORPUS_DIR has no sibling cms/originals")
@pytest.mark.parametrize("name", TRUE_FILES)
def test_as_many_rows_of_true_files_are_loaded_as_duckdb_reads(tmp_path: Path, name: str) -> None:
    pattern, count = TRUE_FILES[name]
    paths = sorted(ORIGINALS.glob(pattern))
    assert len(paths) == count
    assert paths
    for number, path in enumerate(paths):
        kind, rows = loaded(tmp_path / str(number), path)
        assert kind == name.partition(",")[0]
        assert rows == counted(tmp_path / "copy", path.read_bytes(), OPINIONS[name]) >= 3, path.name
