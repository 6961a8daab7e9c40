"""Medicare Coverage Database: billing and coding articles of the contractors, with their lists of diagnoses.

A weekly copy (`current_article.zip` or `all_article.zip`) is a database in some 40 CSV texts, in a zip of its own. It
has the newest version of each article only. Kept are ids, versions, dates, codes, contractors' numbers and states;
neither descriptors nor the contractors' prose.

Keys: `article 12345`, `code ABCDE` and `contractor A 12345` (the articles that name it), `diagnoses A12` (codes of a
category, each with the first day of the oldest version that lists it).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from cds_service.cms.layouts.article_rows import (
    COVERED,
    DIAGNOSIS,
    NOT_COVERED,
    ArticleRow,
    DiagnosisGroup,
    DiagnosisRow,
    NamedRow,
)
from cds_service.cms.layouts.base import Group, Layout, Opener, OpenText, Stamp
from cds_service.cms.layouts.paragraphs import named_codes, plain_text, states_condition
from cds_service.cms.quarters import Edition
from cds_service.cms.text import CODE, LONGEST_PROSE, Record, Wanted, long_cells, table_of
from cds_service.errors import UnusableFile

_ICD_10_CM_SINCE = date(2015, 10, 1)
# Parts of states, and a territory, by the abbreviations of the postal service.
_STATES = {"DN": "NY", "QN": "NY", "UN": "NY", "EM": "MO", "WM": "MO", "NF": "CA", "SF": "CA", "CNMI": "MP"}

Key = tuple[str, str]
ContractorKey = tuple[str, str, str]


# --- texts ----------------------------------------------------------------------------------------------------------

_HEAD = re.compile(r'\ufeff?"?article_id"?,"?article_version"?,"?article_type"?,"?title"?,', re.IGNORECASE)


def recognizes(head: str) -> bool:
    """True for the header of the articles themselves."""
    return _HEAD.match(head) is not None


def stamp(_head: str, _name: str) -> Stamp:
    """The one setting; the edition stands in another text."""
    return Stamp("")


def _wanted(text: str, *columns: str) -> tuple[Wanted, ...]:
    """Columns of a text by name; alternatives are separated by `|`."""
    names = [each.split("|")[0] for each in columns]
    both = zip(names, columns, strict=True)
    return tuple(Wanted(name, each, place, f"{text}.{name}") for place, (name, each) in enumerate(both))


_ARTICLE = _wanted(
    "article", "article_id", "article_version", "article_eff_date", "article_end_date", "article_rev_end_date",
    "date_retired", "status", "display_id",
)  # fmt: skip
_OF_ARTICLE = ("article_id", "article_version")
_COLUMNS = {
    "article_x_hcpc_code": (*_OF_ARTICLE, "hcpc_code_id", "hcpc_code_group"),
    "article_x_icd10_covered": (*_OF_ARTICLE, "icd10_code_id", "icd10_covered_group", "asterisk"),
    "article_x_icd10_covered_group": (*_OF_ARTICLE, "icd10_covered_group", "paragraph"),
    "article_x_icd10_noncovered": (*_OF_ARTICLE, "icd10_code_id", "icd10_noncovered_group"),
    "article_x_icd10_noncovered_group": (*_OF_ARTICLE, "icd10_noncovered_group", "paragraph"),
    "article_x_contractor": (*_OF_ARTICLE, "contractor_id", "contractor_type_id", "contractor_version"),
    "article_x_primary_jurisdiction": (*_OF_ARTICLE, "state_id"),
    "article_related_documents": (*_OF_ARTICLE, "r_lcd_id"),
    "article_x_revision_history": (*_OF_ARTICLE, "rev_hist_date"),
    "article_future_retire": ("article_id", "retire_dt"),
    "contractor": ("contractor_id", "contractor_type_id", "contractor_version", "contractor_number"),
    "contractor_type_lookup": ("contractor_type_id", "description"),
    "contractor_jurisdiction": ("contractor_id", "contractor_type_id", "contractor_version", "state_id", "term_date"),
    "state_lookup": ("state_id", "state_abbrev"),
    "update_period": ("period_id", "end_date|dis_end_date"),
}
_TABLES = {name: _wanted(name, *columns) for name, columns in _COLUMNS.items()}


def _rows(name: str, beside: Mapping[str, Opener]) -> Iterator[Record]:
    """The records of a text beside the articles. Raises UnusableFile."""
    with beside[f"{name}.csv"]() as stream:
        try:
            yield from table_of(stream, _TABLES[name], longest=LONGEST_PROSE)
        except UnusableFile as error:
            raise UnusableFile(f"{name}.csv: {error}") from None


def _day(record: Record, column: str) -> date | None:
    """The day of a time written YYYY-MM-DD HH:MM:SS; None for an empty cell."""
    text = record.text(column)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise record.fault(column, "a date written YYYY-MM-DD, or nothing") from None


def _number(record: Record, column: str) -> int:
    text = record.text(column)
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise record.fault(column, "a whole number")
    return int(text)


def edition(beside: Mapping[str, Opener]) -> Edition:
    """The date of the copy: the end of the newest weekly period. Raises UnusableFile."""
    with long_cells():
        ends = [day for record in _rows("update_period", beside) if (day := _day(record, "end_date"))]
    if not ends:
        raise UnusableFile("update_period.csv: expected the end of a weekly period")
    return Edition(max(ends))


# --- parts of an article --------------------------------------------------------------------------------------------


def _key(record: Record) -> Key:
    return record.text("article_id"), record.text("article_version")


class _Database:
    """The texts beside the articles, by article."""

    def __init__(self, beside: Mapping[str, Opener]) -> None:
        self._beside = beside
        self._shared: dict[str, str] = {}
        self.procedures = self._procedures()
        self.groups = self._groups()
        self.contractors, self.states = self._contractors()
        self.lcds = self._gathered("article_related_documents", "r_lcd_id")
        self.revised = self._revised()
        self.retired = {
            record.text("article_id"): day
            for record in _rows("article_future_retire", beside)
            if (day := _day(record, "retire_dt"))
        }

    def _one(self, text: str) -> str:
        """One object for equal texts: few codes make up half a million rows."""
        return self._shared.setdefault(text, text)

    def _gathered(self, name: str, column: str) -> dict[Key, set[str]]:
        found: dict[Key, set[str]] = defaultdict(set)
        for record in _rows(name, self._beside):
            found[_key(record)].add(self._one(record.text(column)))
        return found

    def _procedures(self) -> dict[Key, dict[int, set[str]]]:
        found: dict[Key, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for record in _rows("article_x_hcpc_code", self._beside):
            code = record.text("hcpc_code_id").upper()
            if CODE.fullmatch(code):
                found[_key(record)][_number(record, "hcpc_code_group")].add(self._one(code))
        return found

    def _groups(self) -> dict[Key, list[DiagnosisGroup]]:
        found: dict[Key, list[DiagnosisGroup]] = defaultdict(list)
        for kind, name in ((COVERED, "icd10_covered"), (NOT_COVERED, "icd10_noncovered")):
            codes: dict[tuple[Key, int], dict[str, bool]] = defaultdict(dict)
            for record in _rows(f"article_x_{name}", self._beside):
                code = self._one(_dotted(record.text("icd10_code_id")))
                group = codes[_key(record), _number(record, f"{name}_group")]
                group[code] = group.get(code, False) or (kind == COVERED and record.text("asterisk") == "Y")
            paragraphs: dict[tuple[Key, int], str] = {}
            for record in _rows(f"article_x_{name}_group", self._beside):
                place = _key(record), _number(record, f"{name}_group")
                paragraphs[place] = plain_text(record.text("paragraph"))
            for place in sorted({*codes, *paragraphs}):
                listed = {code for group in self.procedures.get(place[0], {}).values() for code in group}
                made = _group(place[1], kind, codes.get(place, {}), paragraphs.get(place, ""), listed)
                found[place[0]].append(made)
        return found

    def _contractors(self) -> tuple[dict[Key, set[tuple[str, str]]], dict[Key, set[str]]]:
        """The part and number of each article's contractors, and its states."""
        parts = {
            record.text("contractor_type_id"): _parts(record.text("description"))
            for record in _rows("contractor_type_lookup", self._beside)
        }
        numbers: dict[ContractorKey, str] = {}
        for record in _rows("contractor", self._beside):
            number = record.text("contractor_number")
            numbers[_contractor(record)] = number.zfill(5) if number.isdecimal() else number
        newest = {key[:2]: numbers[key] for key in sorted(numbers, key=_version)}
        by_article: dict[Key, set[ContractorKey]] = defaultdict(set)
        for record in _rows("article_x_contractor", self._beside):
            by_article[_key(record)].add(_contractor(record))
        found: dict[Key, set[tuple[str, str]]] = defaultdict(set)
        for key, contractors in by_article.items():
            for each in contractors:
                number = numbers.get(each) or newest.get(each[:2]) or ""
                found[key] |= {(part, number) for part in parts.get(each[1], ("",)) if number}
        return found, self._states(by_article)

    def _states(self, by_article: Mapping[Key, set[ContractorKey]]) -> dict[Key, set[str]]:
        """The states of each article: of its only contractor as the article says, of several those that they serve."""
        names = {record.text("state_id"): record.text("state_abbrev") for record in _rows("state_lookup", self._beside)}
        served: dict[ContractorKey, set[str]] = defaultdict(set)
        for record in _rows("contractor_jurisdiction", self._beside):
            if not record.text("term_date"):
                served[_contractor(record)].add(record.text("state_id"))
        stated = self._gathered("article_x_primary_jurisdiction", "state_id")
        found: dict[Key, set[str]] = {}
        for key, contractors in by_article.items():
            of_contractors = {state for each in contractors for state in served.get(each, ())}
            states = (stated.get(key) if len(contractors) == 1 else None) or of_contractors
            found[key] = {_STATES.get(name, name) for each in states if (name := names.get(each, ""))}
        return found

    def _revised(self) -> dict[Key, date]:
        """The newest revision of each article: a version answers from it, also if the article is older."""
        found: dict[Key, date] = {}
        for record in _rows("article_x_revision_history", self._beside):
            if day := _day(record, "rev_hist_date"):
                found[_key(record)] = max(day, found.get(_key(record), day))
        return found


def _contractor(record: Record) -> ContractorKey:
    return record.text("contractor_id"), record.text("contractor_type_id"), record.text("contractor_version")


def _version(key: ContractorKey) -> int:
    return int(key[2]) if key[2].isdecimal() else 0


def _parts(description: str) -> tuple[str, ...]:
    """The parts of Medicare that a type of contractor is for: of `MAC - Part A` and `A and B MAC`; else none."""
    is_mac = re.search(r"\bMAC\b", description)
    return tuple(part for part in "AB" if is_mac and re.search(rf"\b{part}\b", description)) or ("",)


def _dotted(code: str) -> str:
    """A diagnosis in upper case and with its dot."""
    plain = code.strip().upper().replace(".", "")
    return f"{plain[:3]}.{plain[3:]}" if len(plain) > 3 else plain


def _group(
    number: int, kind: str, codes: Mapping[str, bool], paragraph: str, listed: Sequence[str] | set[str]
) -> DiagnosisGroup:
    known = {code for code in codes if DIAGNOSIS.fullmatch(code)}
    names = named_codes(paragraph, listed)
    prose = states_condition(paragraph) or not names or not known or len(known) < len(codes)
    marked = tuple(sorted(code for code in known if codes[code]))
    return DiagnosisGroup(number, kind, tuple(sorted(known)), marked, names, prose)


# --- groups of rows -------------------------------------------------------------------------------------------------


def groups(text: OpenText) -> Iterator[Group]:
    """The articles, and what names them. Raises UnusableFile."""
    with long_cells():
        database = _Database(text.beside)
        try:
            records = table_of(text.stream, _ARTICLE, longest=LONGEST_PROSE)
            articles = [_article(record, database) for record in records]
        except UnusableFile as error:
            raise UnusableFile(f"article.csv: {error}") from None
    yield from sorted(_grouped(articles), key=lambda group: group.key)


def _article(record: Record, database: _Database) -> ArticleRow:
    key = _key(record)
    return ArticleRow(
        id=_number(record, "article_id"),
        version=_number(record, "article_version"),
        name=record.text("display_id") or f"A{key[0]}",
        status=record.text("status"),
        first=_first(record, database),
        last=_last(record, database),
        procedures=tuple((each, tuple(sorted(codes))) for each, codes in sorted(database.procedures[key].items())),
        groups=tuple(database.groups.get(key, ())),
        contractors=tuple(sorted(database.contractors.get(key, ()))),
        states=tuple(sorted(database.states.get(key, ()))),
        lcds=tuple(sorted(int(each) for each in database.lcds.get(key, ()) if each.isdecimal() and int(each))),
    )


def _first(record: Record, database: _Database) -> date | None:
    effective = _day(record, "article_eff_date")
    return max(effective, database.revised.get(_key(record), effective)) if effective else None


def _last(record: Record, database: _Database) -> date | None:
    """The last day; on the day of its retirement, an article answers no more."""
    ends = [_day(record, "article_end_date"), _day(record, "article_rev_end_date")]
    retired = [_day(record, "date_retired"), database.retired.get(record.text("article_id"))]
    known = [day for day in ends if day] + [day - timedelta(days=1) for day in retired if day]
    return min(known, default=None)


def _grouped(articles: Sequence[ArticleRow]) -> Iterator[Group]:
    by_id: dict[int, list[ArticleRow]] = defaultdict(list)
    named: dict[str, set[int]] = defaultdict(set)
    oldest: dict[str, date] = {}
    for each in articles:
        by_id[each.id].append(each)
        for name in {f"code {code}" for _, codes in each.procedures for code in codes}:
            named[name].add(each.id)
        for part, number in each.contractors:
            named[f"contractor {part} {number}"].add(each.id)
        for code in {code for group in each.groups for code in group.codes} if each.first else ():
            oldest[code] = min(each.first or date.max, oldest.get(code, date.max))
    for article_id, versions in by_id.items():
        yield _packed(f"article {article_id}", versions, sum(map(_size, versions)))
    for name, numbers in named.items():
        yield _packed(name, [NamedRow(name.partition(" ")[2], tuple(sorted(numbers)))])
    categories: dict[str, list[DiagnosisRow]] = defaultdict(list)
    for code in sorted(oldest):
        categories[code[:3]].append(DiagnosisRow(code, oldest[code]))
    for category, rows in categories.items():
        yield _packed(f"diagnoses {category}", rows)


def _size(article: ArticleRow) -> int:
    """The number of codes that an article lists."""
    return sum(len(codes) for _, codes in article.procedures) + sum(len(group.codes) for group in article.groups)


def _packed(key: str, rows: Sequence[Any], count: int = 0) -> Group:
    return Group(key, msgspec.msgpack.encode(rows), count)


_ROW_TYPES: dict[str, type] = {"article": ArticleRow, "diagnoses": DiagnosisRow}
_DECODERS = {
    kind: msgspec.msgpack.Decoder(list[row_type]).decode  # type: ignore[valid-type]
    for kind, row_type in {**_ROW_TYPES, "code": NamedRow, "contractor": NamedRow}.items()
}


def _decoded(group: Group, _texts: Sequence[str]) -> list[Any]:
    found: list[Any] = _DECODERS[group.key.partition(" ")[0]](group.blob)
    return found


LAYOUT: Layout[Any] = Layout(
    kind="articles",
    title="Medicare articles (MCD)",
    settings={"": ""},
    recognizes=recognizes,
    stamp=stamp,
    groups=groups,
    rows=_decoded,
    since=_ICD_10_CM_SINCE,
    beside=tuple(f"{name}.csv" for name in _TABLES),
    edition=edition,
)
