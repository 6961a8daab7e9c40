"""Parses one item of a case: a charge, an administration, a procedure. Errors name the word at fault."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any

from cds_service.core.notation import MOST_UNITS, is_billing_code, parse_line
from cds_service.errors import UnreadableCase
from cds_service.intake.typed import NO_WORDS, ChargeLine, Entry, Given, Named, Words
from cds_service.languages.worded import Worded, worded

# The forms of codes, by the name of their system.
SYSTEM_FORMS = {
    "RxNorm": re.compile(r"[0-9]{1,8}"),
    "NDC": re.compile(r"[0-9]{4,5}-[0-9]{3,4}(-[0-9]{1,2})?|[0-9]{10,11}"),
    "SNOMED": re.compile(r"[1-9][0-9]{5,17}"),
    "LOINC": re.compile(r"[0-9]{1,7}-[0-9]"),
}
_BY_NAME = {name.lower(): name for name in SYSTEM_FORMS}
# Units of a dose, in the form in which they are written into FHIR.
UNITS = {
    each.lower(): each
    for each in ("mL", "uL", "µL", "L", "cc", "mg", "mcg", "ug", "µg", "g", "vial", "vials", "dose", "unit", "units")
}
_MILLILITERS = {"mL": Decimal(1), "cc": Decimal(1), "uL": Decimal("0.001"), "µL": Decimal("0.001"), "L": Decimal(1000)}
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?|\.[0-9]{1,6}", re.ASCII)
_TOKEN = re.compile(r'"[^"]*"|[^\s"]+|"')
_GLUED_UNIT = re.compile(r"([0-9]*\.?[0-9]+)([^\W\d_]+)")
_DAY = re.compile(r"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_DIAGNOSIS = re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?", re.IGNORECASE | re.ASCII)
_WORDS = {"words", "word"}
_SIMILAR = 0.7

_ORDER_STATUSES = "draft active on-hold revoked completed entered-in-error unknown"
_DRUG_ORDER_STATUSES = "draft active on-hold cancelled completed stopped entered-in-error unknown"
_EVENT_STATUSES = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
STATUSES = {
    "charge": "planned billable not-billable aborted billed entered-in-error unknown".split(),
    "given": "in-progress not-done on-hold completed entered-in-error stopped unknown".split(),
    "done": _EVENT_STATUSES.split(),
    "ordered": _ORDER_STATUSES.split(),
    "drug": _DRUG_ORDER_STATUSES.split(),
}
# The words that may stand behind an item of each kind.
ALLOWED = {
    "charge": ("on", "for", "as", "by", "in", "status", "ndc", "dx", "bare"),
    "claim": ("on", "for", "by", "in", "ndc", "dx", "bare"),
    "given": ("on", "for", "as", "in", "status"),
    "done": ("on", "for", "as", "by", "in", "status", "dx"),
    "ordered": ("on", "as", "in", "status", "planned", "dx"),
    "observed": ("on", "for", "as", "in"),
    "reported": ("on", "as", "in"),
}
_EVERY_WORD = frozenset(word for words in ALLOWED.values() for word in words)
_MOST = f"{MOST_UNITS:,}"


def day_of(written: str) -> str:
    """A date as the notation writes it. Raises UnreadableCase."""
    try:
        if _DAY.fullmatch(written):
            return date.fromisoformat(written).isoformat()
    except ValueError:
        pass
    raise UnreadableCase(written, worded("expected a date such as 2026-11-03"))


def _day_or_month_of(written: str) -> str:
    """A date, or a month where the day is not known. Raises UnreadableCase."""
    return written if _MONTH.fullmatch(written) else day_of(written)


def diagnosis_of(written: str) -> str:
    """An ICD-10-CM code as it is typed. Raises UnreadableCase."""
    if not _DIAGNOSIS.fullmatch(written):
        raise UnreadableCase(written, worded("expected an ICD-10-CM code such as I10 or R07.9"))
    return written


def amount_of(written: str) -> Decimal:
    """A number from 0 to 100,000. Raises UnreadableCase."""
    if not _NUMBER.fullmatch(written) or Decimal(written) > MOST_UNITS:
        raise UnreadableCase(written, worded("expected a number from 0 to {most}, such as 1.3", most=_MOST))
    return Decimal(written)


def _name_of(written: str) -> str:
    if not _NAME.fullmatch(written):
        raise UnreadableCase(written, worded("a name has letters, digits, hyphens and dots"))
    return written


def _ndc_of(written: str) -> str:
    return _code_of("NDC", written)


def _diagnoses_of(written: str) -> tuple[str, ...]:
    return tuple(map(diagnosis_of, written.split("+")))


def is_drug(order: Entry) -> bool:
    """True if an order is for a contrast agent or another drug, by its product or RxNorm code."""
    return order.names[0].system in {"product", "RxNorm"}


def _status_of(kind: str, written: str) -> str:
    if kind != "ordered":  # of an order, the thing ordered decides
        _require_status(kind, written)
    return written


def _require_status(kind: str, written: str) -> None:
    if written not in STATUSES[kind]:
        raise UnreadableCase(written, worded("expected a status: {statuses}", statuses=", ".join(STATUSES[kind])))


@dataclass(frozen=True, slots=True)
class ItemParser:
    """Parses items; `products` are the names of contrast products."""

    products: Mapping[str, str]

    def charge(self, text: str) -> ChargeLine:
        """A charge that is on no claim. Raises UnreadableCase."""
        return self._line("charge", text)

    def claim_line(self, text: str) -> ChargeLine:
        """A line of a claim. Raises UnreadableCase."""
        return self._line("claim", text)

    def _line(self, kind: str, text: str) -> ChargeLine:
        head, words = _split(kind, text)
        line, *others = head
        if others:
            raise UnreadableCase(others[0], _expected_behind(kind, line, others[0]))
        code, modifiers, units = parse_line(line)
        return ChargeLine(code=code, modifiers=modifiers, units=units, words=words)

    def given(self, text: str) -> Given:
        """An administration, without what was discarded. Raises UnreadableCase."""
        head, words = _split("given", text)
        head, dose, unit = _dose_in(head)
        return Given(names=self._names(head), dose=dose, unit=unit, words=words)

    def entry(self, kind: str, text: str) -> Entry:
        """A procedure (`done`), an order, an observation or a report. Raises UnreadableCase."""
        head, words = _split(kind, text)
        made = Entry(names=self._names(head), words=words)
        if kind == "ordered" and words.status:
            _require_status("drug" if is_drug(made) else kind, words.status)
        return made

    def _names(self, head: Sequence[str]) -> tuple[Named, ...]:
        groups: list[list[str]] = [[]]
        is_free_text = head[0].lower() in _WORDS and not _is_quoted_text(head)
        for word in head:
            if word == "+" and not is_free_text:
                groups.append([])
            else:
                groups[-1].append(word)
        return tuple(map(self._named, groups))

    def _named(self, tokens: list[str]) -> Named:
        if not tokens:
            raise UnreadableCase("+", worded("expected a code before and behind it"))
        first, rest = tokens[0], " ".join(tokens[1:])
        if first.lower() in _WORDS:
            if _is_quoted_text(tokens) and len(tokens) > 2:
                raise UnreadableCase(tokens[2], worded("expected nothing behind the quotation mark"))
            if not (text := rest.replace('"', "'" if not _is_quoted_text(tokens) else "").strip()):
                raise UnreadableCase(first, worded("expected a text behind it"))
            return Named("words", text)
        if system := _BY_NAME.get(first.lower()):
            return Named(system, _code_of(system, rest))
        whole = " ".join(tokens)
        product = next((name for name in self.products if name.lower() == whole.lower()), None)
        if product:
            return Named("product", product)
        if is_billing_code(first) and not rest:
            return Named("code", first.upper())
        raise UnreadableCase(whole, self._expected_thing(whole))

    def _expected_thing(self, written: str) -> Worded:
        names = {name.lower(): name for name in (*self.products, *SYSTEM_FORMS)}
        similar = next(iter(get_close_matches(written.lower(), names, cutoff=_SIMILAR)), None)
        systems, products = ", ".join(SYSTEM_FORMS), ", ".join(sorted(self.products))
        expected = worded('expected a billing code, {systems} with a code, or words "..."', systems=systems)
        if products:
            expected = worded(
                'expected a billing code, a product ({products}), {systems} with a code, or words "..."',
                products=products,
                systems=systems,
            )
        if similar is None:
            return expected
        return worded("{expected}; did you mean {name}?", expected=expected, name=names[similar])


def _is_quoted_text(tokens: Sequence[str]) -> bool:
    return len(tokens) > 1 and tokens[1].startswith('"')


def discarded_in(text: str) -> Decimal | None:
    """The mL in `0.2 mL discarded`, 0 for `nothing discarded`; None for another text. Raises UnreadableCase."""
    *tokens, last = text.split() or [""]
    if last.lower() not in {"discarded", "wasted"}:
        return None
    if [each.lower() for each in tokens] in (["nothing"], ["none"]):
        return Decimal(0)
    head, amount, unit = _dose_in(["", *tokens])
    if head != [""] or amount is None or unit not in _MILLILITERS:
        raise UnreadableCase(text, worded("expected a volume, such as 0.2 mL discarded, or nothing discarded"))
    return amount * _MILLILITERS[unit]


def _dose_in(head: list[str]) -> tuple[list[str], Decimal | None, str]:
    """The tokens before a dose, the dose and its unit. Raises UnreadableCase."""
    tokens = [*head]
    glued = _GLUED_UNIT.fullmatch(tokens[-1]) if len(tokens) > 1 and not _is_code(tokens[-1]) else None
    if glued and glued[2].lower() in UNITS:
        tokens[-1:] = [glued[1], glued[2]]
    is_text = tokens[0].lower() in _WORDS
    if len(tokens) > 2 and re.match(r"[-+.]?[0-9]", tokens[-2]) and not _is_code(tokens[-2]):
        unit = UNITS.get(tokens[-1].lower())
        if unit is not None:
            return tokens[:-2], amount_of(tokens[-2]), unit
        if not is_text:
            raise UnreadableCase(
                tokens[-1], worded("expected a unit: {units}", units=", ".join(dict.fromkeys(UNITS.values())))
            )
    if len(tokens) > 1 and not is_text and _NUMBER.fullmatch(tokens[-1]) and _BY_NAME.get(tokens[-2].lower()) is None:
        raise UnreadableCase(tokens[-1], worded("expected a unit behind the number, such as 1.3 mL"))
    return tokens, None, ""


def _is_code(token: str) -> bool:
    return is_billing_code(token) or any(form.fullmatch(token) for form in (SYSTEM_FORMS["LOINC"],))


def _code_of(system: str, written: str) -> str:
    if not SYSTEM_FORMS[system].fullmatch(written):
        raise UnreadableCase(written or system, worded("expected a code of {system} behind `{system}`", system=system))
    return written


# --- the words behind an item ---------------------------------------------------------------------------------------


def _split(kind: str, text: str) -> tuple[list[str], Words]:
    """The tokens of an item's head, and the words behind it. Raises UnreadableCase."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        raise UnreadableCase("", worded("expected an item between the commas"))
    if '"' in tokens:
        raise UnreadableCase(text, worded("a quotation mark is not closed"))
    if tokens[0].lower() in _WORDS and not _is_quoted_text(tokens):
        return tokens, NO_WORDS  # free text without quotation marks reaches to the end
    end = next((at for at, token in enumerate(tokens) if at and token in _EVERY_WORD), len(tokens))
    if tokens[0] in _EVERY_WORD:
        raise UnreadableCase(tokens[0], worded("expected a code or a product before it"))
    return tokens[:end], _words(kind, tokens[end:])


def _words(kind: str, tokens: list[str]) -> Words:
    found: dict[str, Any] = {}
    rest = [*tokens]
    while rest:
        word = rest.pop(0)
        if word not in ALLOWED[kind]:
            raise UnreadableCase(word, worded("expected one of {words}", words=", ".join(ALLOWED[kind])))
        if word in found:
            raise UnreadableCase(word, worded("is written twice behind one item"))
        if word == "bare":
            found[word] = True
        elif not rest:
            raise UnreadableCase(word, worded("expected {what} behind it", what=_EXPECTED[word]))
        else:
            found[word] = _read(kind, word, rest.pop(0))
    fields = {"for": "target", "as": "name", "in": "encounter"}
    return Words(**{fields.get(word, word): value for word, value in found.items()}) if found else NO_WORDS


_EXPECTED = {
    "on": worded("a date"),
    "planned": worded("a date"),
    "for": worded("the name of a record"),
    "as": worded("a name"),
    "by": worded("a practitioner's name"),
    "in": worded("the name of a visit"),
    "status": worded("a status"),
    "ndc": worded("an NDC"),
    "dx": worded("a diagnosis"),
}
_READERS = {
    "on": _day_or_month_of, "planned": day_of, "for": _name_of, "as": _name_of, "by": _name_of, "in": _name_of,
    "ndc": _ndc_of, "dx": _diagnoses_of,
}  # fmt: skip


def _read(kind: str, word: str, value: str) -> Any:
    reader = partial(_status_of, kind) if word == "status" else _READERS[word]
    return reader(value)


def _expected_behind(kind: str, line: str, word: str) -> Worded:
    if re.fullmatch(r"x[0-9.]*", word, re.IGNORECASE):
        return worded("units follow the code without a space, such as {line}", line=line + "x2")
    if word.startswith("-"):
        return worded("modifiers follow the code without a space, such as {line}", line=line + "-26")
    if is_billing_code(word[:5]):
        return worded("expected a comma between two codes")
    return worded("expected a comma, or one of {words}", words=", ".join(ALLOWED[kind]))
