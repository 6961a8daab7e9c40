"""The messages of the pages' scripts, with their translations as the scripts read them.

A script calls `inWords("…", values)` and `numberOf(count, "…", "…", values)`. The same extractor finds these calls for
the catalogs and for the page, so that no list of them is kept.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.extract import extract_from_file

from cds_service.languages.catalogs import Catalogs
from cds_service.languages.facts import has_words
from cds_service.languages.known import Language

# The functions of the scripts that say a message, and the arguments that are its English text.
KEYWORDS: Mapping[str, tuple[int, ...] | None] = {"inWords": None, "numberOf": (2, 3)}
# A call may stand in a template literal.
OPTIONS: Any = {"parse_template_string": "true", "jsx": ""}

# Counts whose plural forms are looked at: all remainders that plural rules know, and a million.
_COUNTS = (*range(201), 1_000_000)
_SINGLE = (0, 1, 2)

Forms = dict[str, str]  # by the name of a plural category (CLDR), or by an exact count


class ScriptMessage(NamedTuple):
    """A message of a script: its English text, and the English plural if it counts."""

    text: str
    plural: str = ""


@cache
def messages_in(script: Path) -> tuple[ScriptMessage, ...]:
    """The messages of a script, in its order."""
    found = extract_from_file("javascript", script, keywords=KEYWORDS, options=OPTIONS)
    texts = ((text,) if isinstance(text, str) else text for _, text, _, _ in found)
    return tuple(dict.fromkeys(ScriptMessage(*each) for each in texts if has_words(each[0])))


@lru_cache(maxsize=256)
def translations(script: Path, catalogs: Catalogs, language: Language) -> Mapping[str, str | Forms | None]:
    """The translations of a script's messages by the English text; None for a message that has none."""
    return {each.text: _translation(each, catalogs, language) for each in messages_in(script)}


def _translation(each: ScriptMessage, catalogs: Catalogs, language: Language) -> str | Forms | None:
    if not each.plural:
        return catalogs.template(each.text, language) or None
    said = {count: catalogs.template(each.text, language, each.plural, count) for count in _COUNTS}
    if not all(said.values()):
        return None
    category = language.locale.plural_form
    names = {category(count) for count in _COUNTS}
    # The forms of a catalog follow gettext's rule, which differs from CLDR's for some counts.
    usual = {name: Counter(text for count, text in said.items() if category(count) == name) for name in sorted(names)}
    forms = {name: counter.most_common(1)[0][0] for name, counter in usual.items()}
    exact = {str(count): said[count] for count in _SINGLE if said[count] != forms[category(count)]}
    return {**forms, **exact}
