"""Parses a case that is given by keys, as in JSON or YAML: each value is a text or a list of texts."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from msgspec import structs

from cds_service.core.notation import plain
from cds_service.errors import UnreadableCase
from cds_service.intake.items import ItemParser, day_of, diagnosis_of, discarded_in
from cds_service.intake.typed import CLAIM_TYPES, PARTS, ChargeLine, Entry, Given, TypedCase
from cds_service.languages.worded import Worded, worded

ItemT = TypeVar("ItemT")

MOST_ITEMS = 500
LONGEST_TEXT = 5_000  # characters of one item; a report's conclusion may be long

# Other words for a key.
SYNONYMS = {"charged": "lines"}
KEYS = (
    "hook", "claim_type", "place", "payer", "day", "bill", "diagnoses", "lines", "charged", "professional",
    "institutional", "earlier", "given", "done", "ordered", "observed", "reported", "known",
)  # fmt: skip
HOOKS = ("claim", "order")
NONE = "none"

_PLACE = re.compile(r"[0-9]{2}", re.ASCII)
_BILL = re.compile(r"0?[1-9][0-9]{1,2}[0-9A-Z]?", re.ASCII)
_SOPT = re.compile(r"SOPT [0-9]{1,5}", re.ASCII)
LONGEST_PAYER = 100
_OUTSIDE_QUOTES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*\Z)')
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def parse_fields(fields: Mapping[str, Any], products: Mapping[str, str], most_items: int = MOST_ITEMS) -> TypedCase:
    """The case that the keys state; `products` are the names of contrast products, `most_items` the limit of a list.

    Raises UnreadableCase, which names the key and the word at fault.
    """
    for key in fields:
        if key not in KEYS:
            raise UnreadableCase(str(key), worded("expected one of the keys {keys}", keys=", ".join(KEYS)), str(key))
    return _Parser(fields, ItemParser(products), most_items).case()


class _Parser:
    def __init__(self, fields: Mapping[str, Any], items: ItemParser, most_items: int) -> None:
        self.fields = fields
        self.most_items = most_items
        self.items = items
        self.known: list[str] = []

    def case(self) -> TypedCase:
        claim_type = self._one("claim_type", _choice(CLAIM_TYPES))
        lines, professional, institutional = self._charges(claim_type)
        case = TypedCase(
            hook=self._one("hook", _choice(HOOKS)),
            claim_type="" if professional or institutional else claim_type,
            day=self._one("day", day_of),
            place=self._one("place", _place_of),
            payer=self._one("payer", _payer_of),
            bill=self._one("bill", _bill_of),
            diagnoses=self._items("diagnoses", diagnosis_of),
            lines=lines,
            professional=professional,
            institutional=institutional,
            earlier=self._items("earlier", self.items.charge),
            given=self._given(),
            done=self._entries("done"),
            ordered=self._entries("ordered"),
            observed=self._entries("observed"),
            reported=self._entries("reported"),
        )
        case = structs.replace(case, known=self._known(case))
        _require_consistent(case)
        return case

    def _charges(self, claim_type: str) -> tuple[tuple[ChargeLine, ...], ...]:
        """The charges on no claim, and the lines of the professional and of the institutional claim."""
        if "lines" in self.fields and "charged" in self.fields:
            raise UnreadableCase("charged", worded("is another word for `lines`; write one of them"), "charged")
        key = "charged" if "charged" in self.fields else "lines"
        of_claims = [self._items(each, self.items.claim_line) for each in CLAIM_TYPES]
        if not claim_type:
            return (self._items(key, self.items.charge), *of_claims)
        if any(of_claims):
            raise UnreadableCase(
                claim_type, worded("`claim_type` is for `{key}`; write the lines there", key=key), "claim_type"
            )
        lines = self._items(key, self.items.claim_line)
        return ((), *(lines if each == claim_type else () for each in CLAIM_TYPES))

    def _entries(self, key: str) -> tuple[Entry, ...]:
        return self._items(key, partial(self.items.entry, key))

    def _given(self) -> tuple[Given, ...]:
        made: list[Given] = []

        def parse(text: str) -> None:
            discarded = discarded_in(text)
            if discarded is None:
                made.append(self.items.given(text))
            elif not made or made[-1].discarded is not None:
                raise UnreadableCase(text, worded("expected the product given before it"))
            else:
                made[-1] = structs.replace(made[-1], discarded=discarded)

        self._items("given", parse)
        return tuple(made)

    def _known(self, case: TypedCase) -> tuple[str, ...]:
        """The complete parts without items of their own."""
        named = {*self._items("known", _choice(tuple(PARTS))), *self.known}
        return tuple(part for part, key in PARTS.items() if part in named and not getattr(case, key))

    # --- values -----------------------------------------------------------------------------------------------------

    def _one(self, key: str, read: Callable[[str], str]) -> str:
        found = list(self._texts(key))
        if len(found) > 1:
            raise UnreadableCase(found[1], worded("`{key}` takes one value", key=key), key)
        return _at(key, read, found[0]) if found else ""

    def _items(self, key: str, read: Callable[[str], ItemT]) -> tuple[ItemT, ...]:
        """The items of a key. `none` says that there are none, where a part of the record is complete."""
        texts = [part for text in self._texts(key) for part in _parts(text)]
        if len(texts) > self.most_items:
            raise UnreadableCase(key, worded("expected at most {most} items", most=str(self.most_items)), key)
        part = next((part for part, of_part in PARTS.items() if of_part == key), "")
        if part and [each.lower() for each in texts] == [NONE]:
            self.known.append(part)
            return ()
        return tuple(_at(key, read, text) for text in texts)

    def _texts(self, key: str) -> Iterator[str]:
        value = self.fields.get(key)
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        for each in values:
            if isinstance(each, bool) or not isinstance(each, str | int):
                raise UnreadableCase(key, worded("expected a text or a list of texts"), key)
            text = str(each) if isinstance(each, str) or abs(each) < 10**9 else "a number of many digits"
            if len(text) > LONGEST_TEXT:
                raise UnreadableCase(key, worded("expected a text of at most {most} characters", most=_LONGEST), key)
            if _CONTROL.search(text):
                raise UnreadableCase(key, worded("expected a text without control characters"), key)
            if text := " ".join(text.split()):
                yield text


_TWO = 2
_LONGEST = f"{LONGEST_TEXT:,}"
_ENTRIES = ("done", "ordered", "observed", "reported")


def _at(key: str, read: Callable[[str], ItemT], text: str) -> ItemT:
    """The parsed text; an error names its key."""
    try:
        return read(text)
    except UnreadableCase as error:
        error.key = error.key or key
        raise


def _parts(text: str) -> list[str]:
    """The items between the commas of a text; free text without quotation marks is one item."""
    if re.match(r'words?\s+[^"\s]', text, re.IGNORECASE):
        return [text]
    return [part for each in _OUTSIDE_QUOTES.split(text) if (part := each.strip())]


def _expected_one_of(values: tuple[str, ...]) -> Worded:
    if len(values) == _TWO:
        return worded("expected {one} or {other}", one=values[0], other=values[1])
    return worded("expected {values}", values=", ".join(values))


def _choice(values: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise UnreadableCase(text, _expected_one_of(values))
        return text

    return read


def _place_of(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise UnreadableCase(text, worded("a place of service has two digits, such as 11"))
    return text


def _bill_of(text: str) -> str:
    if not _BILL.fullmatch(text):
        raise UnreadableCase(text, worded("expected a type of bill such as 0131 or 851"))
    return text


def _payer_of(text: str) -> str:
    parts = text.split(" + ")
    for each in parts:
        if each.split(" ", 1)[0] == "SOPT" and not _SOPT.fullmatch(each):
            raise UnreadableCase(each, worded("expected a code of the payer typology behind SOPT, such as SOPT 121"))
    if len(parts) > len({each.startswith("SOPT ") for each in parts}):
        raise UnreadableCase(
            text, worded("expected a payer's name, a code such as SOPT 121, or both with a + between them")
        )
    if len(text) > LONGEST_PAYER:
        raise UnreadableCase(
            text, worded("expected a payer's name of at most {most} characters", most=str(LONGEST_PAYER))
        )
    return text


def _require_consistent(case: TypedCase) -> None:
    """Require that each value has the claim it belongs to. Raises UnreadableCase."""
    has_claim = bool(case.professional or case.institutional)
    if case.place and case.lines and not has_claim:
        raise UnreadableCase(case.place, worded("a place of service belongs to a claim: add `claim_type`"), "place")
    if case.bill and case.lines and not case.institutional:
        raise UnreadableCase(case.bill, worded("a type of bill belongs to an institutional claim"), "bill")
    for key in ("lines", "earlier", "given", *_ENTRIES):
        named = [each.words.name for each in getattr(case, key) if each.words.name]
        if twice := next((name for name in named if named.count(name) > 1), None):
            raise UnreadableCase(twice, worded("two records have this name behind `as`"))


# --- back to keys ---------------------------------------------------------------------------------------------------


def fields_of(case: TypedCase) -> dict[str, Any]:
    """The keys of a case, as `parse_fields` reads them: texts, and lists of texts. Keys without a value are omitted."""
    claims = [each for each in CLAIM_TYPES if getattr(case, each)]
    only = claims[0] if len(claims) == 1 and not case.lines else ""
    found: dict[str, Any] = {
        "hook": case.hook,
        "claim_type": only or (case.claim_type if not claims and not case.lines else ""),
        "lines": [*map(str, getattr(case, only) if only else case.lines)],
        **{each: [*map(str, getattr(case, each))] for each in claims if not only},
        "place": case.place,
        "bill": case.bill,
        "payer": case.payer,
        "day": case.day,
        "diagnoses": list(case.diagnoses),
        **{key: [*map(str, getattr(case, key))] for key in ("earlier", "given", *_ENTRIES)},
    }
    nothing = {PARTS[part]: NONE for part in case.known if PARTS[part] != "payer"}
    found |= nothing | {"known": [part for part in case.known if PARTS[part] == "payer"]}
    return {key: value for key, value in found.items() if value}


def form_of(case: TypedCase) -> dict[str, Any]:
    """The claim's lines and the doses, taken apart for a form; `words` are those behind an item."""
    only = next((each for each in CLAIM_TYPES if getattr(case, each)), "")
    lines = getattr(case, only) if only and not case.lines else case.lines
    return {
        "lines": [
            {
                "code": line.code,
                "modifiers": list(line.modifiers),
                "units": "" if line.units is None else plain(line.units),
                "words": str(line.words),
            }
            for line in lines
        ],
        "given": [
            {
                "agent": " + ".join(map(str, each.names)),
                "dose": "" if each.dose is None else plain(each.dose),
                "unit": each.unit,
                "discarded": "" if each.discarded is None else plain(each.discarded),
                "words": str(each.words),
            }
            for each in case.given
        ],
    }
