"""A weekly copy of full size is loaded within a minute."""

import random
import resource
import time
from datetime import date
from pathlib import Path

from cds_service.cms.articles import Articles
from cds_service.cms.lookup import Tables
from cds_service.cms.recognize import Given
from cds_service.cms.store import add
from tests.support.mcd_articles import AT_CGS, CGS
from tests.support.mcd_files import ArticleText, Codes, mcd_zip, texts_of

# Of the current articles: covered and not covered diagnoses, procedures, articles, and the rows of all texts; those of
# texts that are not read are made up for by further diagnoses.
OTHERS = 55_000
COVERED, NOT_COVERED, PROCEDURES, ARTICLES = 431_120 + OTHERS, 45_352, 18_158, 2_002
ROWS = 575_139
MOST_SECONDS = 60.0
MOST_MB = 1_500


def articles() -> list[ArticleText]:
    """Invented articles with as many rows as the true ones."""
    draw = random.Random(1)
    diagnoses = [
        f"{letter}{number:02d}.{rest:02d}" for letter in "ABCDEFGH" for number in range(100) for rest in range(70)
    ]
    codes = [f"{number:05d}" for number in range(10_000, 19_000)]
    made = []
    for number in range(ARTICLES):
        listed = draw.sample(codes, PROCEDURES // ARTICLES)
        stated = f"<p>Applicable to {', '.join(listed)}</p>" + "<p>Words\r\nthat fill the paragraph</p>" * 20
        covered = Codes(paragraph=stated, codes=" ".join(draw.sample(diagnoses, COVERED // ARTICLES + 1)))
        others = Codes(paragraph=stated, codes=" ".join(draw.sample(diagnoses, NOT_COVERED // ARTICLES + 1)))
        macs = ",".join(f"{part} {draw.randrange(1, 60) * 100 + 1:05d}" for part in "AB" for _ in range(7))
        made.append(
            ArticleText(
                id=30_000 + number, macs=macs, lists={1: " ".join(listed)}, groups={1: covered}, not_covered={1: others}
            )
        )
    return [*made, AT_CGS]


def test_a_copy_of_full_size(tmp_path: Path) -> None:
    made = articles()
    path = mcd_zip(tmp_path / "current_article.zip", made)
    assert sum(map(len, texts_of(made).values())) > ROWS
    start = time.monotonic()
    added = add(tmp_path / "tables", [path], Given())
    seconds = time.monotonic() - start
    assert added.tables[0].release.rows > COVERED + NOT_COVERED
    assert seconds < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < MOST_MB
    snapshot = Tables(tmp_path / "tables").snapshot()
    start = time.monotonic()
    found = snapshot.articles("B", CGS, "93351", date(2026, 10, 1))
    assert time.monotonic() - start < 0.1
    assert isinstance(found, Articles)
    assert [each.row.name for each in found.found] == ["A57306"]
