"""Measures how long a weekly copy of the Medicare Coverage Database of full size takes to load, and to ask."""

import random
import resource
import tempfile
import time
from datetime import date
from pathlib import Path

import click

from cds_service.cms.lookup import Tables
from cds_service.cms.recognize import Given
from cds_service.cms.store import add
from tests.support.mcd_articles import AT_CGS, CGS
from tests.support.mcd_files import ArticleText, Codes, mcd_zip, texts_of

# Of the current articles: covered and not covered diagnoses, procedures, articles, and the rows of all texts; those of
# texts that are not read are made up for by further diagnoses.
OTHERS = 55_000
COVERED, NOT_COVERED, PROCEDURES, ARTICLES = 431_120 + OTHERS, 45_352, 18_158, 2_002


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


def main() -> None:
    """Write a copy of full size, load it, ask it, and print what that took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = articles()
        path = mcd_zip(folder / "current_article.zip", made)
        rows = sum(map(len, texts_of(made).values()))
        start = time.monotonic()
        added = add(folder / "tables", [path], Given())
        seconds = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        click.echo(f"rows of all texts {rows:,}, kept {added.tables[0].release.rows:,}; loaded in {seconds:.1f} s")
        click.echo(
            f"peak memory {peak:.0f} MB, with the {path.stat().st_size / 2**20:.0f} MB copy made in this process"
        )
        snapshot = Tables(folder / "tables").snapshot()
        start = time.monotonic()
        found = snapshot.articles("B", CGS, "93351", date(2026, 10, 1))
        click.echo(f"first question {1000 * (time.monotonic() - start):.1f} ms: {found}"[:200])


if __name__ == "__main__":
    main()
