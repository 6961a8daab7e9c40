"""Says the texts of a page in its language, as HTML: functions and filters of the templates.

English is said as it is, and no catalog is read for it. What has no translation is said in English and marked as
English; names of documents and the like, which no language translates, are marked as not to be translated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_datetime, format_skeleton
from babel.numbers import format_currency, format_percent
from markupsafe import Markup, escape

from cds_service.languages.catalogs import Catalogs, Sentence
from cds_service.languages.facts import one_line
from cds_service.languages.known import Language
from cds_service.languages.messages import PLACEHOLDER, Message, Money, Month, Value, isolated, written
from cds_service.languages.worded import Worded, counted, english_text, in_english, name

_UNTRANSLATED = Markup('<span class="untranslated" lang="en" dir="ltr">{}</span>')
_NAME = Markup('<span lang="en" dir="ltr" translate="no">{}</span>')
# The place of HTML in a text while the text is escaped.
_MARK = "\ue000{}\ue001"
_IN_ENGLISH = Markup(' lang="en" dir="ltr" translate="no"')


@dataclass
class Speech:
    """Says the texts of one page in its language. `is_incomplete` once one of them had to be said in English."""

    catalogs: Catalogs
    language: Language
    is_incomplete: bool = False

    def words(self, text: str, **values: Value) -> Markup:
        """A message of a template; values that are HTML stay HTML."""
        if self.language.is_english:
            return _filled(text, values)
        html = {key: value for key, value in values.items() if isinstance(value, Markup)}
        plain = {**values, **{key: name(_MARK.format(key)) for key in html}}
        found = self.said(Worded(english_text(text, plain), Message(one_line(text), values=plain)))
        for key, value in html.items():
            found = found.replace(_MARK.format(key), value)
        return found

    def label(self, text: str, **values: Value) -> str:
        """A message of a template for an attribute or a title, which cannot be marked."""
        return self._sentence(Worded(english_text(text, values), Message(one_line(text), values=values))).text

    def number_of(self, count: int, one: str, many: str, **values: Value) -> Markup:
        """A number with what it counts."""
        return self.said(counted(one, many, count, **values))

    def said(self, text: str) -> Markup:
        """A text of the page's data, in the page's language or marked as English."""
        sentence = self._sentence(text)
        if sentence.is_english and not self.language.is_english:
            self.is_incomplete = True
            return _UNTRANSLATED.format(sentence.text)
        return escape(sentence.text)

    def labeled(self, text: str) -> str:
        """A text of the page's data for an attribute or a title."""
        return self._sentence(text).text

    def named(self, text: str) -> Markup:
        """A name that no language translates, such as that of a document or a rule."""
        return escape(str(text)) if self.language.is_english else _NAME.format(text)

    def english_only(self) -> str:
        """The attributes of an element that is English on a page in another language, and is not to be translated."""
        return "" if self.language.is_english else _IN_ENGLISH

    def day(self, value: date) -> str:
        """A day as the page's language writes it; in English as the tables do."""
        return value.isoformat() if self.language.is_english else written(value, self.language)

    def short_day(self, value: date) -> str:
        """A day without its year, as it stands below a chart."""
        if self.language.is_english:
            return f"{value:%b} {value.day}"
        return str(format_skeleton("MMMd", value, locale=self.language.locale))

    def month(self, value: date) -> str:
        """The month of a day, with its year."""
        return written(Month(value), self.language)

    def short_month(self, value: date) -> str:
        """The month of a day in digits, as it stands below a chart."""
        if self.language.is_english:
            return f"{value:%m/%y}"
        # Charts run from left to right, so that no mark of the other direction may part month and year.
        return str(format_skeleton("yM", value, locale=self.language.locale)).replace("\N{RIGHT-TO-LEFT MARK}", "")

    def moment(self, value: datetime) -> str:
        """A moment with its time zone."""
        return str(format_datetime(value, "long", locale=self.language.locale))

    def amount(self, value: int | Decimal) -> str:
        """A large number as the page's language writes it."""
        return written(value, self.language)

    def percent(self, share: float) -> str:
        """A share of 0 to 1 as a whole percentage."""
        return str(format_percent(round(100 * share) / 100, locale=self.language.locale))

    def is_checked(self) -> bool:
        """True if a person who knows the field has checked the catalogs of the page's language."""
        return self.catalogs.is_checked(self.language)

    def misses_some(self) -> bool:
        """True if a text of the page was said in English for want of a translation."""
        return self.is_incomplete

    def dollars(self, value: Decimal) -> str:
        """An amount of US dollars as the page's language writes it."""
        return written(Money(value), self.language)

    def whole_dollars(self, value: Decimal) -> str:
        """An amount of US dollars without its cents."""
        pattern = self.language.locale.currency_formats["standard"].pattern.replace(".00", "")
        text = str(format_currency(round(value), "USD", pattern, self.language.locale, currency_digits=False))
        return isolated(text, self.language)

    def _sentence(self, text: str) -> Sentence:
        return self.catalogs.say_text(text, self.language)


# The functions and the filters of the templates, by their names there.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "in_words": Speech.words,
    "in_label": Speech.label,
    "number_of": Speech.number_of,
    "english_only": Speech.english_only,
    "is_checked": Speech.is_checked,
    "is_incomplete": Speech.misses_some,
}
FILTERS: Mapping[str, Callable[..., Any]] = {
    "said": Speech.said,
    "labeled": Speech.labeled,
    "named": Speech.named,
    "day": Speech.day,
    "short_day": Speech.short_day,
    "amount": Speech.amount,
    "percent": Speech.percent,
    "dollars": Speech.dollars,
}


def _filled(text: str, values: Mapping[str, Value]) -> Markup:
    """The English of a template, which is HTML as the template's other text is."""
    return Markup(PLACEHOLDER.sub(lambda found: str(_html(values[found[1]])), text))  # noqa: S704


def _html(value: Value) -> Markup:
    return value if isinstance(value, Markup) else escape(in_english(value))
