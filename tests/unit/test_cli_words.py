"""`cds-service claim --words`: understood, confirmed by a person, proposed."""

import json

import pytest
from click.testing import CliRunner, Result

from cds_service.cli import described
from cds_service.cli.main import main

WORDS = "stress echo, continuous ECG, I supervised and read it, Definity 1.3 mL, my office, Medicare, 2026-11-03"


class Terminal:
    """The standard input of a person at a terminal."""

    def isatty(self) -> bool:
        """True, as of a terminal."""
        return True


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["claim", *arguments])


def test_without_confirmation_nothing_is_proposed() -> None:
    result = run("--words", WORDS)
    assert result.exit_code == 2
    assert "Understood" in result.output
    assert "93352" not in result.output
    assert result.stderr.rstrip() == described.NOT_CONFIRMED


def test_with_yes_the_lines_are_proposed_with_reasons_and_sources() -> None:
    result = run("--words", WORDS, "--yes")
    assert result.exit_code == 0
    assert "  93352: Contrast was given at this stress echo: add 93352 and Q9957 (2 units)." in result.output
    assert "verified through" in result.output
    assert "professional: 93351, 93352, Q9957x2-JZ" in result.output


@pytest.mark.parametrize(("confirmed", "code"), [(True, 0), (False, 2)])
def test_a_person_at_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch, confirmed: bool, code: int) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return confirmed

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.confirm", confirm)
    with pytest.raises(SystemExit) as ended:
        main.main(["claim", "--words", WORDS])
    assert asked == ["Is this understood correctly?"]
    assert int(ended.value.code or 0) == code


def test_what_decides_is_asked_with_the_words_that_answer() -> None:
    result = run("--words", WORDS.replace(", 2026-11-03", ""), "--yes")
    assert result.exit_code == 2
    assert "? When was it done?" in result.output
    assert 'add "date of service ..." behind a bar (|)' in result.output
    assert "Proposed" not in result.output
    assert run("--words", WORDS.replace(", 2026-11-03", " | date of service 2026-11-03"), "--yes").exit_code == 0


def test_json_is_the_answer_of_the_service() -> None:
    understood = run("--words", WORDS, "--json")
    assert understood.exit_code == 2
    assert "proposed" not in json.loads(understood.stdout)
    proposed = run("--words", WORDS, "--yes", "--json")
    assert proposed.exit_code == 0
    assert [each["line"] for each in json.loads(proposed.stdout)["proposed"]] == ["93351", "93352", "Q9957x2-JZ"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--words", ""], "--words: expected a description of a case, in words"),
        (["--words", "x" * 2_001], "--words: expected at most 2,000 characters"),
        (["93351", "--words", WORDS], "--words: expected a description alone"),
        (["--words", WORDS, "--day", "2026-11-03"], "--words: expected a description alone"),
    ],
)
def test_what_cannot_be_read_is_one_line(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output
