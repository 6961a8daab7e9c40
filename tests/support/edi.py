"""Writes X12 837P and 837I files of invented parties, segment by segment, without the reader's code."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support.notation import parse_line

Segments = list[list[str]]

GUIDES = {"professional": "005010X222A1", "institutional": "005010X223A2"}
CONTROL = "000000201"


@dataclass(frozen=True)
class EdiLine:
    """A line. `products` are pairs of an NDC and a quantity in mL, or with its unit as a third."""

    code: str
    units: str = "1"
    modifiers: Sequence[str] = ()
    charge: str = "100"
    day: str = "20260302"
    until: str = ""
    unit: str = "UN"
    place: str = ""
    pointers: Sequence[int] = (1,)
    revenue: str = "0483"
    qualifier: str = "HC"
    rendering: str = ""
    products: Sequence[tuple[str, ...]] = ()

    def segments(self, kind: str, number: int) -> Segments:
        procedure = ":".join([self.qualifier, self.code, *self.modifiers]) if self.code else ""
        if kind == "professional":
            pointed = ":".join(map(str, self.pointers))
            service = ["SV1", procedure, self.charge, self.unit, self.units, self.place, "", pointed]
        else:
            service = ["SV2", self.revenue, procedure, self.charge, self.unit, self.units]
        found = [["LX", str(number)], service]
        if self.day:
            dates = ["RD8", f"{self.day}-{self.until}"] if self.until else ["D8", self.day]
            found.append(["DTP", "472", *dates])
        for ndc, *billed in self.products:
            found.append(["LIN", "", "N4", ndc])
            found += [["CTP", "", "", "", billed[0], billed[1] if len(billed) > 1 else "ML"]] if billed else []
        if self.rendering:
            found.append(["NM1", "82", "1", "READER", "ANN", "", "", "", "XX", self.rendering])
        return found


@dataclass(frozen=True)
class EdiClaim:
    """A claim with its patient and payer. `others` are further payers: order, claim filing code and name."""

    number: str = "ECHO1"
    lines: Sequence[EdiLine] = ()
    kind: str = "professional"
    facility: str = "11"
    frequency: str = "1"
    total: str | None = None
    diagnoses: Sequence[str] = ("R0789",)
    statement: str = ""
    filing: str = "MB"
    payer: str = "MEDICARE"
    order: str = "P"
    member: str = "1EG4TE5MK73"
    born: str = "19500101"
    others: Sequence[tuple[str, str, str]] = ()
    replaces: str = ""
    rendering: str = ""
    dependent: str = ""

    def level(self, number: int, billing: int) -> Segments:
        """The loops of the subscriber and, with `dependent`, of the patient."""
        found = [
            ["HL", str(number), str(billing), "22", "1" if self.dependent else "0"],
            ["SBR", self.order, "" if self.dependent else "18", *[""] * 6, self.filing],
            ["NM1", "IL", "1", "TEST", "PAT", "", "", "", "MI", self.member],
            ["N3", "2 MAIN ST"],
            ["N4", "ANYTOWN", "TX", "750010000"],
            ["DMG", "D8", self.born, "M"],
            ["NM1", "PR", "2", self.payer, "", "", "", "", "PI", "00431"],
        ]
        if self.dependent:
            found += [
                ["HL", str(number + 1), str(number), "23", "0"],
                ["PAT", "19"],
                ["NM1", "QC", "1", "TEST", self.dependent],
                ["N3", "2 MAIN ST"],
                ["N4", "ANYTOWN", "TX", "750010000"],
                ["DMG", "D8", "20100101", "F"],
            ]
        return found

    def segments(self) -> Segments:
        """The loop of the claim: 2300 to 2400."""
        is_professional = self.kind == "professional"
        place = f"{self.facility}:{'B' if is_professional else 'A'}:{self.frequency}"
        total = self.total if self.total is not None else str(sum(float(each.charge) for each in self.lines))
        tail = ["Y", "A", "Y", "Y"] if is_professional else ["", "A", "Y", "Y"]
        found = [["CLM", self.number, total, "", "", place, *tail]]
        if not is_professional:
            days = sorted(each.day for each in self.lines if each.day) or ["20260302"]
            found.append(["DTP", "434", "RD8", self.statement or f"{days[0]}-{days[-1]}"])
            found.append(["CL1", "3", "1", "01"])
        if self.replaces:
            found.append(["REF", "F8", self.replaces])
        first, *further = self.diagnoses or [""]
        if is_professional:
            found += [["HI", f"ABK:{first}", *(f"ABF:{each}" for each in further)]] if first else []
        else:
            found += [["HI", f"ABK:{first}"]] if first else []
            found += [["HI", *(f"ABF:{each}" for each in further)]] if further else []
        if self.rendering:
            found.append(["NM1", "82", "1", "READER", "ANN", "", "", "", "XX", self.rendering])
        for order, filing, name in self.others:
            found += [
                ["SBR", order, "18", *[""] * 6, filing],
                ["OI", "", "", "Y", "", "", "Y"],
                ["NM1", "IL", "1", "TEST", "PAT", "", "", "", "MI", "OTHER1"],
                ["NM1", "PR", "2", name, "", "", "", "", "PI", "99999"],
            ]
        for number, line in enumerate(self.lines, 1):
            found += line.segments(self.kind, number)
        return found


@dataclass(frozen=True)
class Style:
    """The separators, and what stands behind each segment."""

    element: str = "*"
    component: str = ":"
    terminator: str = "~"
    ending: str = "\n"

    def text(self, segments: Iterable[Sequence[str]]) -> str:
        """Segments as text. In the data, components are separated by a colon."""
        written = []
        for each in segments:
            elements = [part if each[0] == "ISA" else part.replace(":", self.component) for part in each]
            while elements and not elements[-1] and each[0] != "ISA":
                elements.pop()
            written.append(self.element.join(elements) + self.terminator + self.ending)
        return "".join(written)


def transaction(claims: Sequence[EdiClaim], control: str = "0201", time: str = "1000") -> Segments:
    """A transaction set of claims of one kind, each with its subscriber; claims of one member share the loop."""
    guide = GUIDES[claims[0].kind]
    found: Segments = [
        ["ST", "837", control, guide],
        ["BHT", "0019", "00", "ECHO-0001", "20260310", time, "CH"],
        ["NM1", "41", "2", "SYNTHETIC CARDIOLOGY", "", "", "", "", "46", "SUBMITTER02"],
        ["PER", "IC", "OFFICE", "TE", "5555550100"],
        ["NM1", "40", "2", "TEST PAYER", "", "", "", "", "46", "RECEIVER"],
        ["HL", "1", "", "20", "1"],
        ["NM1", "85", "2", "SYNTHETIC CARDIOLOGY", "", "", "", "", "XX", "1999999976"],
        ["N3", "1 MAIN ST"],
        ["N4", "ANYTOWN", "TX", "750010000"],
        ["REF", "EI", "990000001"],
    ]
    levels, shown = 1, None
    for each in claims:
        level = replace(each, number="", lines=(), others=(), frequency="1", replaces="", rendering="", diagnoses=())
        level = replace(level, facility="", statement="", total="0")
        if level != shown:
            found += each.level(levels + 1, 1)
            levels += 2 if each.dependent else 1
            shown = level
        found += each.segments()
    return [*found, ["SE", str(len(found) + 1), control]]


def isa(style: Style, control: str = CONTROL) -> list[str]:
    return [
        "ISA", "00", " " * 10, "00", " " * 10, "ZZ", "SUBMITTER02    ", "ZZ", "RECEIVER       ", "260310", "1000", "^",
        "00501", control, "0", "T", style.component,
    ]  # fmt: skip


def group(*sets: Segments, control: str = "201") -> Segments:
    """A functional group of transaction sets."""
    version = sets[0][0][3]
    head = ["GS", "HC", "SUBMITTER02", "RECEIVER", "20260310", "1000", control, "X", version]
    return [head, *(segment for each in sets for segment in each), ["GE", str(len(sets)), control]]


def interchange(*groups: Segments, style: Style | None = None, control: str = CONTROL) -> str:
    """An interchange of functional groups, as text."""
    written = style or Style()
    segments = [isa(written, control), *(each for part in groups for each in part)]
    return written.text([*segments, ["IEA", str(len(groups)), control]])


def edi(*claims: EdiClaim, style: Style | None = None) -> bytes:
    """A file of claims: a transaction set for each kind, in functional groups of their own."""
    kinds = list(dict.fromkeys(each.kind for each in claims))
    groups = [
        group(transaction([each for each in claims if each.kind == kind]), control=str(201 + number))
        for number, kind in enumerate(kinds)
    ]
    return interchange(*groups, style=style).encode()


def line(text: str, **members: Any) -> EdiLine:
    """A line written as CODEx2-JZ."""
    code, modifiers, units = parse_line(text)
    return EdiLine(code, f"{units:g}" if units else "1", modifiers, **members)


def lines(text: str, **members: Any) -> tuple[EdiLine, ...]:
    """Lines written as `CODE-26, CODEx2`."""
    return tuple(line(each.strip(), **members) for each in text.split(","))


def changed(content: bytes, change: Callable[[Segments], None], style: Style | None = None) -> bytes:
    """A file with its segments changed in place; each is a list of elements, in the default style."""
    written = style or Style()
    segments = [each.strip().split(written.element) for each in content.decode().split(written.terminator)]
    segments = [each for each in segments if each != [""]]
    change(segments)
    return "".join(f"{written.element.join(each)}{written.terminator}{written.ending}" for each in segments).encode()


def recounted(segments: Segments) -> None:
    """Set SE01 of each transaction set to the number of its segments."""
    start = 0
    for position, each in enumerate(segments):
        if each[0] == "ST":
            start = position
        elif each[0] == "SE":
            each[1] = str(position - start + 1)
