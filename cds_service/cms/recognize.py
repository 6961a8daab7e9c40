"""The tables in a download: kind by content, release and setting by content, by CMS's names, or as the user says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO

from cds_service.cms.archive import Text, texts_in
from cds_service.cms.layouts import LAYOUTS
from cds_service.cms.layouts.base import Layout, Opener, Stamp
from cds_service.cms.quarters import ReleaseDate, parse_release, quarter_in
from cds_service.errors import UnusableFile

_MOST_TITLES = 100  # lines before the header of a table


@dataclass(frozen=True, slots=True)
class Given:
    """Release and setting as the user gives them, for texts that state neither."""

    quarter: ReleaseDate | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A text with a table, its first characters, its layout, and its complete stamp.

    `beside` are the other texts that the table is made of, by name.
    """

    text: Text
    head: str
    layout: Layout[Any]
    setting: str
    quarter: ReleaseDate
    first: date
    part: int | None
    beside: Mapping[str, Text] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """CMS's name of the table: the name of the text, or of the download that has all of its texts."""
        return self.text.path.name if self.beside else self.text.name

    @property
    def place(self) -> str:
        """The name for errors; those of a table in several texts name the text themselves."""
        return self.text.place.removesuffix(f": {self.text.member}") if self.beside else self.text.place


class _Recognized(NamedTuple):
    text: Text
    layout: Layout[Any]
    head: str
    beside: Mapping[str, Text]


def given(release: str | None, setting: str | None) -> Given:
    """The user's options. Raises UnusableFile for a release that is neither a quarter nor a date."""
    quarter = parse_release(release) if release else None
    if release and quarter is None:
        raise UnusableFile("--release: expected a quarter such as 2026Q3, or the date of a weekly copy")
    return Given(quarter, setting)


def sources_in(path: Path, options: Given, skipped: list[str]) -> list[Source]:
    """The tables of a download; texts that are none of them are appended to `skipped`, with the reason.

    Raises UnusableFile for a download without a table, with tables of several kinds, or without a release.
    """
    try:
        texts = texts_in(path)
        found = _recognized(texts)
    except UnusableFile as error:
        raise UnusableFile(f"{path.name}: {error}") from None
    used = {each.text for each in found}
    whole = {text.inside for each in found if each.layout.beside for text in (each.text,)}  # parts of one database
    others = (text for text in texts if text not in used and text.inside not in whole)
    skipped.extend(f"{text.place}: not one of CMS's tables" for text in others)
    reasons: list[str] = []
    sources: dict[tuple[Any, ...], Source] = {}
    for each in found:
        try:
            own = each.layout.stamp(each.head, each.text.name)
        except UnusableFile as error:
            reasons.append(f"{each.text.place}: {error}")
            continue
        source = _source(each, own, options)
        place = (source.setting, source.quarter, source.first, source.part)
        twin = sources.get(place)
        if twin and not _is_csv(source):
            reasons.append(f"{source.text.place}: the same table as {twin.text.name}")
            continue
        if twin:
            reasons.append(f"{twin.text.place}: the same table as {source.text.name}")
        sources[place] = source
    if not sources:
        raise UnusableFile(reasons[0])
    skipped.extend(reasons)
    return list(sources.values())


def _is_csv(source: Source) -> bool:
    return source.text.name.lower().endswith(".csv")


def _recognized(texts: list[Text]) -> list[_Recognized]:
    """The texts with tables, all of one kind. Raises UnusableFile."""
    heads = [(text, text.head()) for text in texts]
    found = [
        _Recognized(text, layout, head, _beside(text, layout, texts))
        for text, head in heads
        if (layout := layout_of(head))
    ]
    if not found:
        titles = ", ".join(layout.title for layout in LAYOUTS.values())
        raise UnusableFile(f"line 1: expected one of CMS's tables as .txt or .csv ({titles})")
    kinds = {each.layout.kind: each for each in found}
    if len(kinds) > 1:
        named = " and ".join(f"{each.layout.title} ({each.text.name})" for each in kinds.values())
        raise UnusableFile(f"expected tables of one kind, found {named}; add them one by one")
    return found


def _beside(text: Text, layout: Layout[Any], texts: list[Text]) -> dict[str, Text]:
    """The further texts of a table, by name. Raises UnusableFile for the first that the zip lacks."""
    named = {each.name.lower(): each for each in texts if each.inside == text.inside}
    for name in layout.beside:
        if name not in named:
            raise UnusableFile(f"expected {name} beside {text.name}: add the zip as CMS publishes it")
    return {name: named[name] for name in layout.beside}


def openers(texts: Mapping[str, Text]) -> dict[str, Opener]:
    """Functions that open texts, by name."""
    return {name: _opener(text) for name, text in texts.items()}


def _opener(text: Text) -> Opener:
    @contextmanager
    def opened() -> Iterator[TextIO]:
        with text.opened() as (stream, _):
            yield stream

    return opened


def layout_of(head: str) -> Layout[Any] | None:
    """The layout of a text by its first characters; of two tables in one text, the layout of the first."""
    found = [layout for layout in LAYOUTS.values() if layout.recognizes(head)]
    starts = accumulate(head.splitlines(keepends=True)[:_MOST_TITLES])
    told = (layout for start in starts for layout in found if layout.recognizes(start))
    return next(told, None) or next(iter(found), None)


def _source(found: _Recognized, own: Stamp, options: Given) -> Source:
    """The source, its stamp completed by the download's name and the user. Raises UnusableFile."""
    text, layout, head, beside = found
    try:
        around = layout.stamp(head, text.path.name) if text.member else Stamp()
        setting = _agreed("setting", own.setting, around.setting, options.setting)
        if layout.edition:
            quarter = _agreed("release", layout.edition(openers(beside)), options.quarter)
        else:
            quarter = _agreed("release", own.quarter, around.quarter, options.quarter)
            quarter = quarter or quarter_in(text.name) or quarter_in(text.path.name) or _no_release()
        _require_setting(layout, setting)
    except UnusableFile as error:
        raise UnusableFile(f"{text.place}: {error}") from None
    first = own.first or around.first or quarter.first
    return Source(text, head, layout, setting, quarter, first, own.part or around.part, beside)


def _no_release() -> NoReturn:
    raise UnusableFile("expected a release in the text or its name; say it with --release, such as 2026Q3")


def _require_setting(layout: Layout[Any], setting: str | None) -> None:
    """Raise UnusableFile unless the setting is one of the layout."""
    if setting not in layout.settings:
        choices = " or ".join(each for each in layout.settings if each)
        raise UnusableFile(f"expected the setting in the text or its name; say it with --setting {choices}")


def _agreed(label: str, *values: Any) -> Any:
    """The only value of those that are known. Raises UnusableFile if two of them differ."""
    known = list(dict.fromkeys(str(value) for value in values if value))
    if len(known) > 1:
        raise UnusableFile(f"expected one {label}, found {' and '.join(known)}")
    return next((value for value in values if value), next((value for value in values if value is not None), None))
