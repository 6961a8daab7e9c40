"""The code tables, loaded once. What each field of an entry means is said here; the facts are in `codes/*.yaml`."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from cds_service.core.tables import Entry, Table, load_table

_FOLDER = Path(__file__).parent

StudyKind = Literal["stress", "rest", "any"]
BillSetting = Literal["professional", "facility"]


class CodeEntry(Entry, frozen=True, kw_only=True):
    """A code in scope, in our own words. A supply is charged per mL, except A9700, which is charged per study.

    `before` is the code that was charged before this one's first date, where that is known. `temporary`: the code ends
    unless it is renewed, so that nothing is known of dates after the verification.
    """

    kind: Literal["primary", "add-on", "supply", "stress-test", "ecg", "injection", "drug"]
    words: str
    before: str | None = None
    temporary: bool = False


class Guidance(Entry, frozen=True, kw_only=True):
    """A sentence about a code, and about those in `also`, for one part of the code's page."""

    topic: Literal[
        "patient", "guidelines", "modifiers", "units", "crosswalk", "compliance", "coverage", "documentation"
    ]
    text: str
    also: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Many sentences may be said of one code."""
        return f"{self.code}: {self.text}"


class Policy(Entry, frozen=True, kw_only=True):
    """A coverage policy: its number, what it is about, and the codes that it concerns."""

    about: str
    codes: tuple[str, ...]


class AddOn(Entry, frozen=True, kw_only=True):
    """An add-on code and the closed list of primaries that it may be reported with."""

    primaries: tuple[str, ...]
    once_per_study: bool = False


class StudyCode(Entry, frozen=True, kw_only=True):
    """A code by which a study is recognised.

    `contrast`: the code itself says that contrast was used. `hospital`: a hospital outpatient code. `add_on`: the code
    is never a study of its own.
    """

    system: Literal["billing", "snomed"]
    kind: StudyKind
    contrast: bool = False
    hospital: bool = False
    add_on: bool = False


class Product(Entry, frozen=True, kw_only=True):
    """A contrast product: `code` is its supply code, in HCPCS units of 1 mL.

    `units_per_vial` are the HCPCS units of one vial, `vial_ml` is what it holds in mL, `label_limit_ml` the most that
    the label allows in a study, in mL. `vial_from_memory`: the vial's size was not seen in a document; cards say so.
    """

    name: str
    ndc: tuple[str, ...] = ()
    rxnorm_ingredients: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    units_per_vial: Decimal | None = None
    vial_ml: Decimal | None = None
    vial_from_memory: bool = False
    label_limit_ml: Decimal | None = None
    discontinued: bool = False


class Crosswalk(Entry, frozen=True, kw_only=True):
    """The hospital outpatient code that stands for a CPT code when the study was done with contrast."""

    hospital_code: str


class PcTc(Entry, frozen=True, kw_only=True):
    """Whether the Medicare fee schedule splits a code into a professional (26) and a technical (TC) component.

    `indicator` 0: never split. 1: split by 26 and TC. 2: is itself the professional component of another code. 3: the
    technical one. 4: stands for both. 5: work of staff under a practitioner. 9: does not apply.
    """

    indicator: Literal[0, 1, 2, 3, 4, 5, 9]


class PairRow(Entry, frozen=True, kw_only=True):
    """What Medicare does not pay beside a code (its column 1) for one patient, day and practitioner.

    `never`: the column 2 codes of indicator 0, denied whatever the modifier. `with_modifier`: those of indicator 1,
    paid only as a distinct service. `notes` say more of a column 2 code.
    """

    setting: BillSetting
    never: tuple[str, ...] = ()
    with_modifier: tuple[str, ...] = ()
    notes: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        """Each setting has rows of its own."""
        return f"{self.code} ({self.setting})"


class UnitLimit(Entry, frozen=True, kw_only=True):
    """The most HCPCS units of a code that Medicare pays one practitioner or hospital for one patient and day.

    `mai` 2: absolute. 3: more may be paid on appeal, where the record shows the need.
    """

    setting: BillSetting
    units: Decimal
    mai: Literal[2, 3]

    @property
    def key(self) -> str:
        """Practitioners and hospitals have limits of their own."""
        return f"{self.code} ({self.setting})"


class WholeService(Entry, frozen=True, kw_only=True):
    """A code that stands for an echo and the parts of a stress test, where one practitioner does all of them."""

    echo: str
    parts: tuple[str, ...]


class PaymentStatus(Entry, frozen=True, kw_only=True):
    """How Medicare pays a hospital outpatient department for a code: its status indicator in OPPS Addendum B."""

    status: Literal["B", "M", "N", "Q1", "S"]


class Modifier(Entry, frozen=True, kw_only=True):
    """A modifier of single-dose drugs: asked for from `first`, a claim without it refused from `refused_from`."""

    words: str
    refused_from: date


class DocumentationItem(Entry, frozen=True, kw_only=True):
    """Something that the record should hold, and by what it is recognised: codes, or words in any of its texts.

    `absent_where_known`: the parts of the record that have to be complete before it counts as not found.
    """

    name: str
    loinc: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    absent_where_known: tuple[str, ...] = ()


CODES = load_table(_FOLDER / "codes.yaml", CodeEntry)
GUIDANCE = load_table(_FOLDER / "guidance.yaml", Guidance)
POLICIES = load_table(_FOLDER / "policies.yaml", Policy)
ADD_ONS = load_table(_FOLDER / "add_ons.yaml", AddOn)
STUDIES = load_table(_FOLDER / "studies.yaml", StudyCode)
PRODUCTS = load_table(_FOLDER / "products.yaml", Product)
CROSSWALK = load_table(_FOLDER / "crosswalk.yaml", Crosswalk)
PC_TC = load_table(_FOLDER / "pc_tc.yaml", PcTc)
PAIRS = load_table(_FOLDER / "pairs.yaml", PairRow)
UNIT_LIMITS = load_table(_FOLDER / "unit_limits.yaml", UnitLimit)
WHOLE_SERVICES = load_table(_FOLDER / "whole_services.yaml", WholeService)
OPPS = load_table(_FOLDER / "opps.yaml", PaymentStatus)
MODIFIERS = load_table(_FOLDER / "modifiers.yaml", Modifier)
DOCUMENTATION = load_table(_FOLDER / "documentation.yaml", DocumentationItem)


TABLES = tuple(value for value in tuple(globals().values()) if isinstance(value, Table))

# Every billing code that a table names.
KNOWN_CODES = frozenset[str]().union(*(table.codes for table in TABLES))
