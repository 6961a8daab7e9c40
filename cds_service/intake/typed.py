"""A case in billers' notation, parsed: what coders type, with the words behind each item."""

from decimal import Decimal

import msgspec

from cds_service.core.case import Stage
from cds_service.core.notation import notation, plain

CLAIM_TYPES = ("professional", "institutional")

# Parts of the record, and the keys under which their items are typed.
PARTS = {
    "procedures": "done",
    "medicationAdministrations": "given",
    "chargeItems": "earlier",
    "coverages": "payer",
    "observations": "observed",
}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The words behind an item: its day, its links to other records, its status."""

    on: str = ""
    target: str = msgspec.field(default="", name="for")
    name: str = msgspec.field(default="", name="as")
    by: str = ""
    encounter: str = msgspec.field(default="", name="in")
    status: str = ""
    planned: str = ""
    ndc: str = ""
    dx: tuple[str, ...] = ()
    bare: bool = False

    def __str__(self) -> str:
        """The words as they are typed, without those that are not set."""
        pairs = (
            (field.encode_name, getattr(self, field.name))
            for field in msgspec.structs.fields(self)
            if field.type is str
        )
        texts = [f"{name} {value}" for name, value in pairs if value]
        texts += [f"dx {'+'.join(self.dx)}"] if self.dx else []
        return " ".join([*texts, "bare"] if self.bare else texts)


NO_WORDS = Words()


class Named(msgspec.Struct, frozen=True):
    """One name of a thing: its system, as the notation writes it, and its code, product or text.

    `system` is `code` for a billing code, `product` for a contrast product, `words` for free text, else the system's
    name.
    """

    system: str
    value: str

    def __str__(self) -> str:
        if self.system == "words":
            return f'words "{self.value}"'
        return self.value if self.system in {"code", "product"} else f"{self.system} {self.value}"


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A charge or a claim line. `units` are HCPCS units, None if not stated."""

    code: str
    modifiers: tuple[str, ...] = ()
    units: Decimal | None = None
    words: Words = NO_WORDS

    def __str__(self) -> str:
        written = notation(self.code, self.modifiers, self.units, with_one=True)
        return f"{written} {self.words}".rstrip()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A procedure, an order, an observation or a report."""

    names: tuple[Named, ...]
    words: Words = NO_WORDS

    def __str__(self) -> str:
        return f"{' + '.join(map(str, self.names))} {self.words}".rstrip()


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """An administration: the dose and its unit, and the mL discarded, None if not stated."""

    names: tuple[Named, ...]
    dose: Decimal | None = None
    unit: str = ""
    discarded: Decimal | None = None
    words: Words = NO_WORDS

    def __str__(self) -> str:
        amount = f" {plain(self.dose)} {self.unit}" if self.dose is not None else ""
        given = f"{' + '.join(map(str, self.names))}{amount} {self.words}".rstrip()
        return given if self.discarded is None else f"{given}, {plain(self.discarded)} mL discarded"


class TypedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case as typed. `claim_type` is the type chosen for a claim that has no lines yet.

    `lines` are charges on no claim, `professional` and `institutional` the lines of a claim. `known` names the complete
    parts of the record beside those that have items.
    """

    hook: str = ""
    claim_type: str = ""
    day: str = ""
    place: str = ""
    payer: str = ""
    bill: str = ""
    diagnoses: tuple[str, ...] = ()
    lines: tuple[ChargeLine, ...] = ()
    professional: tuple[ChargeLine, ...] = ()
    institutional: tuple[ChargeLine, ...] = ()
    earlier: tuple[ChargeLine, ...] = ()
    given: tuple[Given, ...] = ()
    done: tuple[Entry, ...] = ()
    ordered: tuple[Entry, ...] = ()
    observed: tuple[Entry, ...] = ()
    reported: tuple[Entry, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def stage(self) -> Stage:
        """The stage at which the case is reviewed: order time if nothing but orders is typed, unless `hook` says it."""
        if self.hook:
            return "order" if self.hook == "order" else "claim"
        return "order" if self.ordered and not self.charges else "claim"

    @property
    def charges(self) -> tuple[ChargeLine, ...]:
        """All charges and claim lines under review."""
        return (*self.lines, *self.professional, *self.institutional)

    @property
    def complete(self) -> frozenset[str]:
        """The complete parts of the record: those that are typed, and those that are `known`."""
        return frozenset(part for part, key in PARTS.items() if getattr(self, key)) | frozenset(self.known)
