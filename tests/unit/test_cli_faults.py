"""Bad input, settings and paths of the commands: one plain line and exit code 2, and nothing is left half done.

Exit code 1 means that `check` and `claim` found something; `serve` and `mcp` end with it where they cannot start.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main

ADD = ("clients", "add", "ehr", "--issuer", "https://ehr", "--jwks-url", "https://ehr/jwks")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "Patient.ndjson").write_text('{"resourceType": "Patient", "id": "p"}\n')
    (tmp_path / "tables").mkdir()
    (tmp_path / "file").write_text("clients: 5\n")
    return tmp_path


def run(*arguments: str, **environment: str) -> Result:
    settings = {"CDS_DATABASE_URL": "sqlite:///x.sqlite3", "CDS_CLIENTS_FILE": None, "CDS_TABLES_DIR": "tables"}
    return CliRunner().invoke(main, arguments, env=settings | environment)


PATHS = {
    ("sample", "93350", "--out", "nope/x.json"): "nope/x.json: No such file or directory",
    ("sample", "93350", "--out", "file/x.json"): "file/x.json: Not a directory",
    ("clients", "key", "--key", "nope/a", "--jwks", "b"): "nope/a: No such file or directory",
    ("clients", "key", "--key", "a", "--jwks", "nope/b"): "nope/b: No such file or directory",
    ("clients", "key", "--key", "a", "--jwks", "a"): "a: expected another file than that of the private key",
    (*ADD, "--file", "nope/c.yaml"): "nope/c.yaml: No such file or directory",
    ("audit", "export", "--out", "file"): "--out: file: Not a directory",
    ("audit", "export", "--out", "new", "--fees", "nope"): "--fees: nope: No such file or directory",
    ("audit", "export", "--out", "new", "--fees", "export"): "--fees: export: Is a directory",
    ("audit", "diff", "nope", "tables"): "nope: expected the folder of a finished audit",
    ("tables", "add", "nope.zip"): "nope.zip: could not be read: No such file or directory",
}
INPUTS = {
    ("sample", "zzz"): "zzz: a code has five characters",
    ("tables", "remove", "x"): "x: no such table",
    ("clients", "list", "--file", "file"): "file: line 1: ",
    ("clients", "remove", "zz", "--file", "file"): "file: line 1: ",
    ("clients", "test", "zz", "--file", "file"): "file: line 1: ",
    ("database", "upgrade", "zzz"): "the database: Can't locate revision identified by 'zzz'",
    ("site", "suggest", "nope"): "nope: ",
}


OPTIONS = {
    ("claim", "93350", "--professional", "--institutional"): "--professional --institutional: expected one of them",
    ("claim", "93350", "--yes"): "--yes: expected only with --words",
    ("claim", "93350", "--words", "x"): "--words: expected a description alone, without LINES and their options",
    ("clients", "token", "--seconds", "-5"): "Invalid value for '--seconds': -5 is not in the range 1<=x<=",
}


def assert_one_line(result: Result, fault: str) -> None:
    assert isinstance(result.exception, SystemExit), "no traceback"
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {fault}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", PATHS, ids=" ".join)
def test_a_path_that_cannot_be_used_is_one_line_and_leaves_nothing_behind(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    before = sorted(folder.rglob("*"))
    assert_one_line(run(*arguments), PATHS[arguments])
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", INPUTS, ids=" ".join)
@pytest.mark.usefixtures("folder")
def test_an_input_that_cannot_be_used_is_one_line(arguments: tuple[str, ...]) -> None:
    assert_one_line(run(*arguments), INPUTS[arguments])


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
@pytest.mark.usefixtures("folder")
def test_options_that_contradict_are_refused(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"Error: {OPTIONS[arguments]}" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("check", "-"), ("claim", "93350"), ("claim", "--words", "x"), ("ask", "x"), ("codes",), ("rules",)]
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_setting_is_no_finding(arguments: tuple[str, ...]) -> None:
    assert_one_line(run(*arguments, CDS_MAX_CALLS="0"), "CDS_MAX_CALLS: ")


@pytest.mark.parametrize("server", [("serve",), ("mcp",)])
@pytest.mark.usefixtures("folder")
def test_a_server_that_cannot_start_ends_as_its_supervisor_expects(server: tuple[str, ...]) -> None:
    result = run(*server, CDS_MAX_CALLS="0")
    assert (result.exit_code, "CDS_MAX_CALLS: " in result.stderr) == (1, True)


def test_a_file_that_fails_without_a_name_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error of the system is ours to explain, and is not hidden behind a line about a file."""

    def fail() -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("cds_service.cli.main.table", fail)
    assert isinstance(run("settings").exception, OSError)
