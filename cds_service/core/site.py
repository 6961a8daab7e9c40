"""A site's choices, as its file states them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from cds_service.core.concepts import Code
from cds_service.languages.worded import worded

CodeScope = Literal["echo", "all"]
Day = date  # a source has a member of that name
MedicarePart = Literal["A", "B"]
HospitalKind = Literal["outpatient", "critical-access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """A payer in the site's file: how coverages identify it, and its answers to the questions that rules ask.

    `names` are in lower case. `identifiers` and `types` (of coverage) are references, bare values or `system|value`.
    A question without an answer is unknown.
    """

    names: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSource:
    """The document that a statement of the site was taken from; `date` is the day it was written.

    `verified_through` is the last date of service for which the site verified it, if it says so.
    """

    publisher: str
    document: str
    date: Day
    url: str | None = None
    verified_through: Day | None = None

    @property
    def label(self) -> str:
        """The source as it is cited: publisher, document and date."""
        return f"{self.publisher}, {self.document}, {self.date}"

    @property
    def checked(self) -> str:
        """The words for its age: `verified through 2026-12-31`, or `dated 2026-05-04`."""
        return f"verified through {self.verified_through}" if self.verified_through else f"dated {self.date}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStatement:
    """A statement of a payer or of the house, in the site's words. It is quoted, and nothing is judged by it.

    It is about `codes` and, where it names any, about these `payers` (in lower case) and `settings`. It holds for dates
    of service from `first` through `last`; None: no known end. `rules` are those whose findings quote it, and `topic`
    is a section of a code's page, empty if the site names none.
    """

    id: str
    text: str
    codes: tuple[str, ...]
    source: SiteSource
    first: date
    last: date | None = None
    payers: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    topic: str = ""

    def covers(self, day: date | None) -> bool:
        """True if a date of service lies in its dates; an unknown one does not."""
        return day is not None and self.first <= day and (self.last is None or day <= self.last)

    @property
    def marked(self) -> str:
        """The statement marked as the site's, with the payers and settings that it is about."""
        about = f" ({self.limits})" if self.limits else ""
        return f"This site's own statement{about}: {self.text}"

    @property
    def quoted(self) -> str:
        """The statement as a card quotes it: marked as the site's, with its source."""
        return worded("This site's own statement: {text} ({source})", text=self.text, source=self.source.label)

    @property
    def limits(self) -> str:
        """The payers and settings that it is about, in words; empty if it is about all."""
        payers = f"payer: {', '.join(sorted(self.payers))}" if self.payers else ""
        settings = f"setting: {', '.join(sorted(self.settings))}" if self.settings else ""
        return "; ".join(part for part in (payers, settings) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site's choices.

    `mappings` map the site's codes to billing codes while resources are parsed; of `mapped_systems` every code that has
    a billing code is mapped. `time_zone` gives instants in UTC their local day. `vial_units`: if the product is known
    but the dose is not, charge one vial, of the usual size or of the size in `vial_units_of` (HCPCS units).
    `scope`: the codes of claims that rules look at, those of the echo or, with loaded tables, all.
    `hospital` is the site's kind of hospital, for claims that state no type of bill.
    `medicare`: the number of the site's Medicare contractor (MAC), by part: A for hospital claims, B for professional.
    `order_suggestions`: the resource that a suggestion creates at order time.
    `statements` are those of its payers and of the house.
    """

    mappings: Mapping[Code, str] = field(default_factory=dict)
    mapped_systems: frozenset[str] = frozenset()
    time_zone: ZoneInfo | None = None
    payers: tuple[Payer, ...] = ()
    rules_off: frozenset[str] = frozenset()
    rules_lowered: frozenset[str] = frozenset()
    scope: CodeScope = "echo"
    hospital: HospitalKind = "outpatient"
    medicare: Mapping[MedicarePart, str] = field(default_factory=dict)
    vial_units: bool = False
    vial_units_of: Mapping[str, Decimal] = field(default_factory=dict)
    order_suggestions: Literal["ChargeItem", "ServiceRequest"] = "ChargeItem"
    statements: tuple[SiteStatement, ...] = ()

    def units_of_vial(self, code: str, usual: Decimal | None) -> Decimal | None:
        """The HCPCS units to charge if the dose is unknown; None if a person has to enter them."""
        return self.vial_units_of.get(code, usual if self.vial_units else None)
