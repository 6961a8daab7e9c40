"""A question taken apart: its codes, what it is about, and the claims that it describes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from cds_service.ask.knowledge import Knowledge
from cds_service.ask.lexicon import plain_words
from cds_service.ask.spans import Reading, Span
from cds_service.core.notation import notation, parse_line

MOST_CODES = 6  # that a question is answered for


@dataclass(frozen=True)
class Question:
    """The parts of a question.

    `lines` are charge lines in billers' notation by their code, `codes` all codes that it names, by itself or by a
    product, `products` those that it names by a product. `terms` are terms of the glossary, `also_terms` those whose
    names mean something else besides. `place` and `bill` are a stated place of service and type of bill, `day` the
    stated date of service.
    """

    reading: Reading
    lines: dict[str, str]
    codes: tuple[str, ...]
    products: tuple[str, ...]
    modifiers: tuple[str, ...]
    settings: tuple[str, ...]
    payers: tuple[str, ...]
    topics: tuple[str, ...]
    terms: tuple[str, ...]
    also_terms: tuple[str, ...]
    amounts: tuple[str, ...]
    discarded: tuple[str, ...]
    place: str
    bill: str
    day: date | None

    @property
    def has_year(self) -> bool:
        """True if a year is stated and no day."""
        return self.day is None and bool(self.reading.of("year"))

    @property
    def has_subject(self) -> bool:
        """True if a code, product, modifier or term is named."""
        return bool(self.codes or self.modifiers or self.terms)

    @property
    def has_units(self) -> bool:
        """True if a number of units is stated."""
        return any(parse_line(line).units is not None for line in self.lines.values())

    @property
    def asks_more(self) -> bool:
        """True if more is said than the name of a code or product, or words that describe codes."""
        of_codes = bool(self.codes and self.settings) or len(self.codes) > 1
        return bool(self.topics or self.amounts or self.discarded or self.modifiers or self.terms) or of_codes


def question_of(reading: Reading, knowledge: Knowledge) -> Question:
    """The parts of a text's reading."""
    written = _lines(reading)
    products = [each for each in reading.of("product", "drug") if not each.negated]
    named = _once(code for each in products for code in knowledge.codes_of[each.value])
    by_ndc = [code for each in reading.of("ndc") for code in sorted(knowledge.named_by(each.value))]
    place, bill = _first(reading, "place"), _first(reading, "bill")
    return Question(
        reading=reading,
        lines=written,
        codes=_once([*written, *named, *by_ndc])[:MOST_CODES],
        products=_once([*named, *by_ndc]),
        modifiers=_modifiers(reading, written),
        settings=_once([*_settings_of(place, bill, knowledge), *(each.value for each in reading.of("setting"))]),
        payers=_once(each.value for each in reading.of("payer")),
        topics=_once(each.value for each in reading.of("topic")),
        terms=_terms(reading, knowledge),
        also_terms=_also_terms(reading, knowledge),
        amounts=_once(each.value for each in reading.of("amount")),
        discarded=_once(each.value for each in reading.of("discarded")),
        place=place,
        bill=bill,
        day=next((date.fromisoformat(each.value) for each in reading.of("day")), None),
    )


def _first(reading: Reading, kind: str) -> str:
    return next((each.value for each in reading.of(kind)), "")


def _settings_of(place: str, bill: str, knowledge: Knowledge) -> Iterator[str]:
    """The settings of a stated place of service or type of bill."""
    for name, setting in knowledge.words.settings.items():
        stated = {value for keys in setting.claims.values() for value in keys.values()}
        if place in stated or (bill and bill.zfill(4) in stated):
            yield name
            return


def _terms(reading: Reading, knowledge: Knowledge) -> tuple[str, ...]:
    """The terms that are named; one that is a filler, such as the name of a code system, only if nothing else is."""
    fillers = frozenset(plain_words(knowledge.words.fillers))
    spans = reading.of("term")
    strong = [each for each in spans if not fillers.issuperset(plain_words(reading.text[each.start : each.end]))]
    others = reading.of("code", "product", "drug", "ndc", "thing", "topic", "modifier")
    asks = [each for each in others if each.value != knowledge.words.defaults["code"]]
    return _once(each.value for each in (strong if strong or asks else spans))


def _also_terms(reading: Reading, knowledge: Knowledge) -> tuple[str, ...]:
    """The terms whose names were recognized as something else."""
    named = {plain_words(phrase): value for kind, value, phrase in knowledge.names if kind == "term"}
    spans = [each for each in reading.spans if each.kind in {"topic", "setting", "thing", "modifier", "place", "bill"}]
    texts = (plain_words(reading.text[each.start : each.end]) for each in spans)
    found = (named.get(tuple(word for word in words if not word.isdigit())) for words in texts)
    return _once(each for each in found if each)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _lines(reading: Reading) -> dict[str, str]:
    """The charge lines by code: a modifier or a number of units beside a code belongs to it."""
    spans = [each for each in reading.spans if each.kind == "code" and not each.negated]
    parsed = [(span, parse_line(span.value)) for span in spans]
    modifiers = {line.code: [*line.modifiers] for _, line in reversed(parsed)}
    units = {line.code: line.units for _, line in reversed(parsed)}
    for span in reading.of("modifier"):
        owner = _owner(span, spans)
        if owner is not None and not span.negated:
            code = parse_line(owner.value).code
            modifiers[code] = [*dict.fromkeys([*modifiers[code], span.value])]
    if len(units) == 1 and (counts := reading.of("units")):
        (code,) = units
        units[code] = units[code] or parse_line(f"{code}x{counts[0].value}").units
    return {line.code: notation(line.code, modifiers[line.code], units[line.code], with_one=True) for _, line in parsed}


def _owner(modifier: Span, codes: list[Span]) -> Span | None:
    """The code that a modifier stands behind; of one that stands before all codes, the first."""
    before = [each for each in codes if each.start < modifier.start]
    return before[-1] if before else next(iter(codes), None)


def _modifiers(reading: Reading, lines: dict[str, str]) -> tuple[str, ...]:
    on_lines = [modifier for line in lines.values() for modifier in parse_line(line).modifiers]
    return _once([*on_lines, *(each.value for each in reading.of("modifier"))])
