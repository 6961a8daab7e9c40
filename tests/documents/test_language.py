"""Language: docstrings name the thing itself, and words that have a term of the field do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.sentences import PARTS, Sentence
from tests.support.running import ROOT
from tests.support.sources import by_folder

SOURCES = [path for folder in ("cds_service", "hooks", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
RIDDLES = {"What", "Who", "Which", "Whether", "How", "Where", "Why", "When", "That", "Whose", "Whom"}

# A word or phrase, and the field's term for it.
FORBIDDEN = {
    r"\bset(s|ting)? (\w+ )?aside\b": "override (a card), reject or skip (a resource)",
    r"\bleft out\b": "skipped, rejected",
    r"\b(came|come|comes) whole\b": "complete",
    r"\bgo(es|ing)? out\b": "is submitted, is billed",
    r"\b(mend|mends|mended|mending)\b": "fix",
    r"\bremed(y|ies)\b": "fix",
    r"\bstand(s|ing)? alone\b": "without a primary",
    r"\bnothing to say\b": "no findings",
    r"\bwhat the call is about\b": "under review",
    r"\b(one|same|kinds? of|form of) bills?\b": "claim, claim type",
    r"\bwho(ever)? calls\b": "client, user",
    r"\b(nobody|whoever|whomever)\b": "no one, anyone who; better: name the person",
    r"\b(is|are|can|cannot) (to )?be had\b": "available",
    r"\bserves? on\b": "stays valid",
    r"\bis taken once\b": "is accepted once",
    r"\bbeside (a|the) floor\b": "against the baseline",
    r"\briddle": "say it",
    r"\bthat which\b": "name the thing",
    r"(colour|behaviour|neighbour|licence|organis|millilitre|judgement|favour|grey\b|centre\b)": "American spelling",
}
# Quoted data, and terms that look like a forbidden one.
ALLOWED = re.compile(r"`[^`]*`|sulphur hexafluoride|how=\"lacking\"")


def docstrings(path: Path) -> Iterator[str]:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))
    yield from (text for node in nodes if (text := ast.get_docstring(node)))


@by_folder(SOURCES)
def test_docstrings_begin_with_the_thing(paths: list[Path]) -> None:
    texts = [(path, text) for path in paths for text in docstrings(path)]
    assert texts
    assert [(path, text) for path, text in texts if text.split()[0].strip(",.:;") in RIDDLES] == []


def faults(sentence: Sentence) -> list[str]:
    text = ALLOWED.sub("", sentence.text)
    return [
        f"{sentence.path}:{sentence.line}: {found[0]!r}, say: {term}"
        for word, term in FORBIDDEN.items()
        if (found := re.search(word, text, re.IGNORECASE))
    ]


@pytest.mark.parametrize("part", PARTS)
def test_forbidden_words_do_not_come_back(part: str) -> None:
    sentences = list(PARTS[part]())
    assert len(sentences) > 50
    assert [fault for each in sentences for fault in faults(each)] == []


def test_a_forbidden_word_is_found() -> None:
    (fault,) = faults(Sentence(Path("x"), 1, "This card was set aside."))
    assert fault.startswith("x:1: 'set aside', say: override")
    assert faults(Sentence(Path("x"), 1, "The card was overridden.")) == []
