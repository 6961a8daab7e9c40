"""The code tables, loaded once. What each field of an entry means is said here; the facts are in `codes/*.yaml`."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from cds_service.codes import Entry, load_table

_FOLDER = Path(__file__).parent / "codes"

StudyKind = Literal["stress", "rest", "any"]


class CodeEntry(Entry, frozen=True, kw_only=True):
    """A code in scope, in our own words. A supply is charged per mL, except A9700, which is charged per study."""

    kind: Literal["primary", "add-on", "supply"]
    words: str


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


CODES = load_table(_FOLDER / "codes.yaml", CodeEntry)
ADD_ONS = load_table(_FOLDER / "add_ons.yaml", AddOn)
STUDIES = load_table(_FOLDER / "studies.yaml", StudyCode)
PRODUCTS = load_table(_FOLDER / "products.yaml", Product)
CROSSWALK = load_table(_FOLDER / "crosswalk.yaml", Crosswalk)


class PaymentStatus(Entry, frozen=True, kw_only=True):
    """How Medicare pays a hospital outpatient department for a code: its status indicator in OPPS Addendum B."""

    status: Literal["B", "M", "N", "Q1", "S"]


class Modifier(Entry, frozen=True, kw_only=True):
    """A modifier of single-dose drugs: asked for from `first`, a claim without it refused from `refused_from`."""

    words: str
    refused_from: date


OPPS = load_table(_FOLDER / "opps.yaml", PaymentStatus)
MODIFIERS = load_table(_FOLDER / "modifiers.yaml", Modifier)


class DocumentationItem(Entry, frozen=True, kw_only=True):
    """Something that the record should hold, and by what it is recognised: codes, or words in any of its texts.

    `absent_where_known`: the parts of the record that have to be complete before it counts as not found.
    """

    name: str
    loinc: tuple[str, ...] = ()
    rxnorm: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    absent_where_known: tuple[str, ...] = ()


DOCUMENTATION = load_table(_FOLDER / "documentation.yaml", DocumentationItem)
