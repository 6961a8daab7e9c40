"""A folder of loaded tables with articles of three contractors, and a site of one of them.

Which codes stand on a list, and what its paragraph names, are facts of the articles; the lists are cut short, and
versions, dates and texts are invented.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from cds_service.cms.recognize import Given
from cds_service.cms.store import add
from tests.support.mcd_files import ArticleText, Codes, mcd_zip

CGS, FIRST_COAST, NGS, PALMETTO = "15102", "09102", "06102", "10112"
SITE = f'medicare: {{part_a: "15101", part_b: "{CGS}"}}\n'

SAME_CODE = "(When reporting add-on CPT codes 93320, 93321 and 93325, the same code should be used as that of the base)"
SPRING = "2026-02-27"  # of the copy that answers for the day of most cases, 2026-03-02
AUTUMN = "2026-09-28"

AT_CGS = ArticleText(
    id=57306,
    version=43,
    first="2025-10-01",
    macs=f"A 15101,B {CGS}",
    lcd="34338",
    lists={1: "93306 93308 93350 93351 93352 C8924 C8928 C8930", 2: "J1250"},
    groups={
        1: Codes(paragraph="<p>Applicable to codes: 93306, 93308 and C8924.</p>", codes="I34.0 I50.9"),
        3: Codes(paragraph="<p>Applicable to codes 93308, C8924:</p>", codes="I10 I11.9"),
        4: Codes(
            paragraph=f"<p>Applicable to CPT code 93350, 93351,\r\n 93352, C8928, C8930:&amp;nbsp;{SAME_CODE}:</p>",
            codes="I20.0 I25.10 I42.0 I49.40 R07.9 R94.31*",
        ),
    },
)
AT_FIRST_COAST = ArticleText(
    id=56952,
    version=49,
    first="2025-10-01",
    macs=f"A 09101,B {FIRST_COAST}",
    lcd="38396",
    lists={1: "93015 93016 93017 93018", 2: "93350 93351 93352"},
    groups={
        1: Codes(paragraph="support CPT codes: 93015, 93016, 93017, and 93018.", codes="I25.10 I10"),
        2: Codes(
            paragraph="It is the provider&rsquo;s responsibility ... for CPT codes: 93350, 93351, and 93352.",
            codes="I25.10 R07.9 Z95.1 I43* R94.31*",
        ),
    },
    not_covered={1: Codes(paragraph="All those not listed", codes="XX000")},
)
AT_NGS = ArticleText(
    id=56781,
    version=43,
    first="2025-10-01",
    macs=f"A 06101,B {NGS}",
    lcd="33577",
    lists={1: "93306 93307 93308 93350 93351 93352 C8928 C8930", 2: "J1250 J2785"},
    groups={
        1: Codes(
            paragraph="Applicable to codes 93306, 93307: a secondary diagnosis is also required for some.",
            codes="I34.1",
        ),
        2: Codes(paragraph="Applicable to codes 93303, 93304", codes="Q21.0"),
        3: Codes(paragraph="Applicable to codes 93350, 93351, 93352, C8928, C8930", codes="I10 I25.10 R07.9"),
    },
)
OF_PERFUSION = ArticleText(
    id=58503,
    version=11,
    first="2025-10-01",
    macs=f"A 10111,B {PALMETTO}",
    lcd="38786",
    lists={1: "0439T 93306 93350 93351", 2: "93306 93350 93351 93352", 3: "A9700"},
    groups={1: Codes(paragraph="Applicable to HCPCS &amp;reg; code 0439T", codes="I25.10 Z95.1")},
)
ARTICLES = (AT_CGS, AT_FIRST_COAST, AT_NGS, OF_PERFUSION)


def later(article: ArticleText) -> ArticleText:
    """The version that begins in October."""
    return replace(article, version=article.version + 1, first="2026-10-01")


def load(folder: Path, name: str, edition: str, *articles: ArticleText) -> None:
    """Load a copy into a folder."""
    path = mcd_zip(folder.parent / f"{name}.zip", articles, edition)
    add(folder, [path], Given())


@cache
def loaded(parent: Path) -> Path:
    """The folder of tables, made in a folder of its own: a copy of the spring and one of the autumn."""
    folder = parent / "tables"
    load(folder, "current_article", SPRING, *ARTICLES)
    load(folder, "current_article", AUTUMN, *map(later, ARTICLES))
    (parent / "site.yaml").write_text(SITE)
    return folder
