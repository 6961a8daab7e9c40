"""The code tables, loaded once: fields of each entry here, facts in `codes/*.yaml`."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import msgspec

from cds_service.core.tables import Entry, Table, load_table

_FOLDER = Path(__file__).parent

StudyKind = Literal["stress", "rest", "any"]
ClaimSetting = Literal["professional", "facility"]
Topic = Literal[
    "necessity",
    "guidelines",
    "modifiers",
    "units",
    "roles",
    "crosswalk",
    "compliance",
    "coverage",
    "documentation",
]
TOPICS: tuple[str, ...] = get_args(Topic)


class CodeEntry(Entry, frozen=True, kw_only=True):
    """A code in scope, in our own words. A supply is charged per mL, except A9700, which is charged per study.

    `before` is the code charged before this one's first date, if known. `temporary` codes end unless renewed, so dates
    of service after the last verification are unconfirmed. `hospital` codes are for hospital outpatient claims only.
    """

    kind: Literal["primary", "add-on", "supply", "stress-test", "ecg", "injection", "drug", "other"]
    words: str
    before: str | None = None
    temporary: bool = False
    hospital: bool = False


class Guidance(Entry, frozen=True, kw_only=True):
    """A sentence about a code, and about those in `also`, for one section of the code's page.

    `glance`: the heading under which it also stands at the top of the page, among the facts of the tables.
    """

    topic: Topic
    text: str
    also: tuple[str, ...] = ()
    glance: Literal["with", "never", "once", "who", "need", "setting", "payment", "modifiers", "instead"] | None = None

    @property
    def key(self) -> str:
        """A code may have several sentences."""
        return f"{self.code}: {self.text}"


class PatientSentence(Entry, frozen=True, kw_only=True):
    """A charge in plain words for patients: the short name of a code, a sentence about it, or one about a modifier.

    It is shared by the codes in `also`. Facts of other tables are placeholders, such as `{product}`.
    """

    part: Literal["name", "about", "modifier"]
    text: str
    also: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A code may have several sentences."""
        return f"{self.code}: {self.text}"


class Policy(Entry, frozen=True, kw_only=True):
    """A coverage policy: its number, its subject and the codes it covers."""

    about: str
    codes: tuple[str, ...]


class AddOn(Entry, frozen=True, kw_only=True):
    """An add-on code and the closed list of primaries it may be reported with."""

    primaries: tuple[str, ...]
    once_per_study: bool = False


class StudyCode(Entry, frozen=True, kw_only=True):
    """A code that identifies a study.

    `contrast`: the code includes the use of contrast. `hospital`: a hospital outpatient code. `add_on`: the code is
    never a study by itself.
    """

    system: Literal["billing", "snomed"]
    kind: StudyKind
    contrast: bool = False
    hospital: bool = False
    add_on: bool = False


class Product(Entry, frozen=True, kw_only=True):
    """A contrast product: `code` is its supply code, in HCPCS units of 1 mL.

    `units_per_vial` is the number of HCPCS units in one vial, `vial_ml` the vial size in mL, `label_limit_ml` the
    label's maximum for one study in mL. `words` are names in free text, `shared_words` names that several products
    share, for texts without any of the former. `vial_from_memory`: the vial size was not checked against a document,
    and cards say so.
    """

    name: str
    ndc: tuple[str, ...] = ()
    rxnorm_ingredients: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    shared_words: tuple[str, ...] = ()
    units_per_vial: Decimal | None = None
    vial_ml: Decimal | None = None
    vial_from_memory: bool = False
    label_limit_ml: Decimal | None = None
    discontinued: bool = False


class StressDrug(Entry, frozen=True, kw_only=True):
    """A drug of a stress test: `mg_per_unit` are the milligrams in one HCPCS unit, `words` its names in free text."""

    name: str
    mg_per_unit: Decimal
    ndc: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Crosswalk(Entry, frozen=True, kw_only=True):
    """The hospital outpatient code that replaces a CPT code if the study was done with contrast."""

    hospital_code: str


class PcTc(Entry, frozen=True, kw_only=True):
    """The PC/TC indicator of a code in the Medicare fee schedule: professional (26) and technical (TC) components.

    `indicator` 0: never split. 1: split by 26 and TC. 2: professional component only. 3: technical component only. 4:
    global code only. 5: incident-to service of staff. 9: does not apply.
    """

    indicator: Literal[0, 1, 2, 3, 4, 5, 9]


class PairRow(Entry, frozen=True, kw_only=True):
    """Column 2 codes that Medicare does not pay with a column 1 code for one patient, day and practitioner.

    `never`: indicator 0, denied with any modifier. `with_modifier`: indicator 1, paid only as a distinct service.
    `notes`: remarks on single column 2 codes.
    """

    setting: ClaimSetting
    never: tuple[str, ...] = ()
    with_modifier: tuple[str, ...] = ()
    notes: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        """Each setting and release has its own rows."""
        return f"{self.code} ({self.setting}, {self.source})"


class UnitLimit(Entry, frozen=True, kw_only=True):
    """Maximum HCPCS units of a code that Medicare pays one practitioner or hospital per patient and day (MUE).

    `mai` 2: absolute limit. 3: more may be paid on appeal if the record supports it.
    """

    setting: ClaimSetting
    units: Decimal
    mai: Literal[2, 3]

    @property
    def key(self) -> str:
        """Practitioners and hospitals have separate limits."""
        return f"{self.code} ({self.setting})"


class WholeService(Entry, frozen=True, kw_only=True):
    """A code that covers an echo and the parts of a stress test if one practitioner does all of them."""

    echo: str
    parts: tuple[str, ...]


class PaymentStatus(Entry, frozen=True, kw_only=True):
    """The OPPS payment status of a code for a hospital outpatient department (Addendum B).

    `instead` is the code that a hospital reports in its place, where one is known. `rate` is the national payment in
    US dollars, not adjusted to a place.
    """

    instead: str | None = None
    status: Literal["B", "M", "N", "Q1", "S"]
    rate: Decimal | None = None

    @property
    def belongs_elsewhere(self) -> bool:
        """True if a hospital's claim never reports the code: another code is due (B), or a practitioner's claim (M)."""
        return self.status in {"B", "M"}


class RelativeValue(Entry, frozen=True, kw_only=True):
    """Total relative value units (RVU) of a code in the Medicare physician fee schedule, national and not adjusted.

    `office` and `facility` are the totals for a practitioner there, none where nothing is published. `facility_na`: the
    practice expense in a facility is not applicable (NA). `conversion_factor` is in US dollars per unit. `modifier`: of
    one component only.
    """

    status: Literal["A", "C", "E", "I", "N", "X"]
    conversion_factor: Decimal
    modifier: Literal["", "26", "TC"] = ""
    office: Decimal | None = None
    facility: Decimal | None = None
    facility_na: bool = False

    @property
    def key(self) -> str:
        """The whole service and its components have separate rows."""
        return f"{self.code}-{self.modifier}"


class Indicator(Entry, frozen=True, kw_only=True):
    """A value of an indicator in CMS's files, in words. `code` names the indicator and the value, such as `MAI 3`."""

    words: str


class ModifierMeaning(Entry, frozen=True, kw_only=True):
    """A modifier in our own words. `group`: what it tells, which also says which of our codes it is for."""

    group: Literal["component", "reduced", "distinct", "repeated", "drug"]
    words: str


class ModifierNote(Entry, frozen=True, kw_only=True):
    """A sentence about a modifier, and about those in `also`."""

    text: str
    also: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A modifier may have several sentences."""
        return f"{self.code}: {self.text}"


class Modifier(Entry, frozen=True, kw_only=True):
    """A modifier for single-dose drugs: required from `first`; claims without it are returned from `refused_from`."""

    words: str
    refused_from: date


class PairModifier(Entry, frozen=True, kw_only=True):
    """A modifier with which Medicare pays both codes of an NCCI pair of indicator 1 as billed, on either line.

    `group`: a distinct service, another encounter or a repeated test, another site of the body, or a visit or surgery
    outside of a global period.
    """

    group: Literal["distinct", "repeated", "anatomic", "global"]


class DocumentationItem(Entry, frozen=True, kw_only=True):
    """An item that the record should contain, identified by codes or by words in the text.

    `required_parts`: the parts of the record that must be complete before the item counts as not found.
    """

    name: str
    loinc: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    required_parts: tuple[str, ...] = ()


CODES = load_table(_FOLDER / "codes.yaml", CodeEntry)
GUIDANCE = load_table(_FOLDER / "guidance.yaml", Guidance)
PATIENT_WORDS = load_table(_FOLDER / "patient_words.yaml", PatientSentence)
POLICIES = load_table(_FOLDER / "policies.yaml", Policy)
ADD_ONS = load_table(_FOLDER / "add_ons.yaml", AddOn)
STUDIES = load_table(_FOLDER / "studies.yaml", StudyCode)
PRODUCTS = load_table(_FOLDER / "products.yaml", Product)
STRESS_DRUGS = load_table(_FOLDER / "stress_drugs.yaml", StressDrug)
CROSSWALK = load_table(_FOLDER / "crosswalk.yaml", Crosswalk)
PC_TC = load_table(_FOLDER / "pc_tc.yaml", PcTc)
PAIRS = load_table(_FOLDER / "pairs.yaml", PairRow)
UNIT_LIMITS = load_table(_FOLDER / "unit_limits.yaml", UnitLimit)
WHOLE_SERVICES = load_table(_FOLDER / "whole_services.yaml", WholeService)
OPPS = load_table(_FOLDER / "opps.yaml", PaymentStatus)
RELATIVE_VALUES = load_table(_FOLDER / "relative_values.yaml", RelativeValue)
INDICATORS = load_table(_FOLDER / "indicators.yaml", Indicator)
MODIFIER_MEANINGS = load_table(_FOLDER / "modifier_meanings.yaml", ModifierMeaning)
MODIFIER_NOTES = load_table(_FOLDER / "modifier_notes.yaml", ModifierNote)
MODIFIERS = load_table(_FOLDER / "modifiers.yaml", Modifier)
PAIR_MODIFIERS = load_table(_FOLDER / "pair_modifiers.yaml", PairModifier)
DOCUMENTATION = load_table(_FOLDER / "documentation.yaml", DocumentationItem)


TABLES = tuple(value for value in tuple(globals().values()) if isinstance(value, Table))

# Every billing code that a table names.
KNOWN_CODES = frozenset[str]().union(*(table.codes for table in TABLES))
