"""The languages of the pages, and the choice among them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from babel import Locale

from cds_service.errors import UnknownLanguage


@dataclass(frozen=True)
class Language:
    """A language: its tag in addresses and HTML (BCP 47), and its name in Babel's data (CLDR)."""

    tag: str
    cldr: str

    @property
    def is_english(self) -> bool:
        """True for the language of the messages themselves."""
        return self.tag == ENGLISH.tag

    @property
    def direction(self) -> str:
        """The direction of its script, as HTML's `dir` takes it: `ltr` or `rtl`."""
        return str(self.locale.text_direction)

    @property
    def name(self) -> str:
        """Its own name, such as `Deutsch`; without a capital where the language writes none."""
        return str(self.locale.get_display_name(self.cldr))

    @cached_property
    def locale(self) -> Locale:
        """Babel's data of the language: its numbers, dates and names."""
        return Locale.parse(self.cldr)


ENGLISH = Language("en", "en")

LANGUAGES = (
    ENGLISH,
    Language("es", "es"),
    Language("zh-Hans", "zh_Hans"),
    Language("ru", "ru"),
    Language("ar", "ar"),
    Language("vi", "vi"),
    Language("fr", "fr"),
    Language("de", "de"),
    Language("ko", "ko"),
    Language("tl", "fil"),  # Tagalog; CLDR has it under the name of its standard form, Filipino
)

# Other tags that browsers and people write for the same language. Chinese without a script is Simplified.
_ALSO = {"fil": "tl", "zh": "zh-hans", "zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh-my": "zh-hans"}
# Tags that a shorter one must not answer: another script.
_NEVER = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
_BY_TAG = {language.tag.lower(): language for language in LANGUAGES}


def language_of(tag: str) -> Language | None:
    """The language of a tag such as `es`, `es-MX`, `zh-CN` or `fil`, in any case; None if there is none."""
    parts = tag.strip().lower().replace("_", "-").split("-")
    tags = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    if any(each in _NEVER for each in tags):
        return None
    return next((found for each in tags if (found := _BY_TAG.get(_ALSO.get(each, each)))), None)


def chosen(asked: str | None, kept: str | None, accepted: Iterable[str]) -> Language:
    """The language that was asked for, else the one that was chosen before, else the first accepted one, else English.

    `asked` comes from a person, so that a tag of no language is an error. Raises UnknownLanguage.
    """
    if asked is not None:
        found = language_of(asked)
        if found is None:
            raise UnknownLanguage([each.tag for each in LANGUAGES])
        return found
    return next(_known([kept or "", *accepted]), ENGLISH)


def _known(tags: Iterable[str]) -> Iterator[Language]:
    yield from (found for each in tags if (found := language_of(each)))
