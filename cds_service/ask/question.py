"""A question taken apart: its codes, what it is about, and the claims that it describes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cds_service.ask.knowledge import Knowledge
from cds_service.ask.spans import Reading, Span
from cds_service.core.notation import notation, parse_line

MOST_CODES = 6  # that a question is answered for


@dataclass(frozen=True)
class Question:
    """The parts of a question.

    `lines` are charge lines in billers' notation by their code, `codes` all codes that it names, by itself or by a
    product, `terms` terms of the glossary. `day` is the stated date of service.
    """

    reading: Reading
    lines: dict[str, str]
    codes: tuple[str, ...]
    modifiers: tuple[str, ...]
    settings: tuple[str, ...]
    payers: tuple[str, ...]
    topics: tuple[str, ...]
    terms: tuple[str, ...]
    things: tuple[str, ...]
    amounts: tuple[str, ...]
    discarded: tuple[str, ...]
    day: date | None

    @property
    def has_subject(self) -> bool:
        """True if a code, product, modifier or term is named."""
        return bool(self.codes or self.modifiers or self.terms)

    @property
    def asks_more(self) -> bool:
        """True if more is said than the name of a code or product, or words that describe codes."""
        of_codes = bool(self.codes and self.settings) or len(self.codes) > 1
        return bool(self.topics or self.amounts or self.discarded or self.modifiers or self.terms) or of_codes


def question_of(reading: Reading, knowledge: Knowledge) -> Question:
    """The parts of a text's reading."""
    written = _lines(reading)
    products = [each for each in reading.of("product", "drug") if not each.negated]
    named = [code for each in products for code in knowledge.codes_of[each.value]]
    named += [code for each in reading.of("ndc") for code in sorted(knowledge.named_by(each.value))]
    topics = _once(each.value for each in reading.of("topic"))
    return Question(
        reading=reading,
        lines=written,
        codes=_once([*written, *named])[:MOST_CODES],
        modifiers=_modifiers(reading, written),
        settings=_once(each.value for each in reading.of("setting")),
        payers=_once(each.value for each in reading.of("payer")),
        topics=topics,
        terms=_once(each.value for each in reading.of("term")),
        things=_once(each.value for each in reading.of("thing", "word")),
        amounts=_once(each.value for each in reading.of("amount")),
        discarded=_once(each.value for each in reading.of("discarded")),
        day=next((date.fromisoformat(each.value) for each in reading.of("day")), None),
    )


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
