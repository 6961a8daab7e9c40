"""The messages of the knowledge, with their catalogs: sentences of tables, rules, and facts written from tables."""

from pathlib import Path

import hooks
import sample_bundles
from cds_service.languages.extraction import Domain
from hooks.codes.tables import TABLES

# The fields of tables that are words; all others are facts, names or codes, which no language writes in another way.
WORDS = {
    "codes": ("words",),
    "guidance": ("text",),
    "patient_words": ("text",),
    "policies": ("about",),
    "pairs": ("notes",),
    "indicators": ("words",),
    "modifier_meanings": ("words",),
    "modifier_notes": ("text",),
    "modifiers": ("words",),
    "documentation": ("name",),
    "glossary": ("name", "also", "text"),
}

# The places of the files of words whose texts are shown: sentences, questions with their answers, and names of what is
# recognized.
_IN_QUESTIONS = (
    "topics.@", "topics.*.asked", "settings.@", "settings.*.asked", "performed.@", "things.@", "declines.*.text",
    "fillers_asked", "negations_asked", "unknown_code", "nothing_found", "not_text", "ask_setting", "other_payer",
    "ask_day", "examples.*",
)  # fmt: skip
_IN_CASES = (
    "names.study.@", "names.performed.@", "names.claim.@", "questions.*.text", "questions.*.answers.*.label", "notes.*",
)  # fmt: skip

# The entries that the pages show as rows: their docstrings stand below, and explain the columns.
_ROWS = (
    "Policy", "AddOn", "StudyCode", "Product", "StressDrug", "Crosswalk", "PcTc", "PairRow", "UnitLimit",
    "WholeService", "PaymentStatus", "RelativeValue", "Modifier", "PairModifier", "DocumentationItem",
)  # fmt: skip

KNOWLEDGE = Domain(
    name="the sentences about codes",
    root=Path(hooks.__file__).parent,
    sources={
        **{f"codes/{table.name}.yaml": f"table:{','.join(WORDS.get(table.name, ()))}" for table in TABLES},
        "codes/tables.py": f"docstrings:{','.join(_ROWS)}",
        "publish/glossary.yaml": f"table:{','.join(WORDS['glossary'])}",
        "publish/words.yaml": f"words:{','.join(_IN_QUESTIONS)}",
        "publish/case_words.yaml": f"words:{','.join(_IN_CASES)}",
        "publish/base_lines.yaml": "table:text",
        "rules/*.py": "rule",
        "coding/*.py": "python",
        "publish/*.py": "python",
    },
    catalogs=Path(__file__).parent / "catalogs",
    beside={Path(sample_bundles.__file__).parent: {"*/about.yaml": "words:*", "start_here.yaml": "words:*"}},
)
