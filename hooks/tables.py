"""The code tables, loaded once. What each field of an entry means is said here; the facts are in `codes/*.yaml`."""

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

    `units_per_vial` are the HCPCS units of one vial, `label_limit_ml` the most that the label allows in a study, in mL.
    """

    name: str
    ndc: tuple[str, ...] = ()
    rxnorm_ingredients: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    units_per_vial: Decimal | None = None
    label_limit_ml: Decimal | None = None
    discontinued: bool = False


class Crosswalk(Entry, frozen=True, kw_only=True):
    """The hospital outpatient code that stands for a CPT code when the study was done with contrast."""

    hospital_code: str


CODES = load_table(_FOLDER / "codes.yaml", CodeEntry)
GUIDANCE = load_table(_FOLDER / "guidance.yaml", Guidance)
POLICIES = load_table(_FOLDER / "policies.yaml", Policy)
ADD_ONS = load_table(_FOLDER / "add_ons.yaml", AddOn)
STUDIES = load_table(_FOLDER / "studies.yaml", StudyCode)
PRODUCTS = load_table(_FOLDER / "products.yaml", Product)
CROSSWALK = load_table(_FOLDER / "crosswalk.yaml", Crosswalk)
