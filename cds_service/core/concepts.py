"""Codes, their code systems, and coded concepts, as rules see them."""

import msgspec

# Code systems that rules use. A code of any other system keeps the system's URI.
BILLING = "billing"  # CPT and HCPCS Level II are one code space (CPT is HCPCS Level I)
NDC = "ndc"
RXNORM = "rxnorm"
SNOMED = "snomed"
LOINC = "loinc"
REVENUE = "revenue"  # revenue codes name a cost center; a line without any other code charges no procedure
CVX = "cvx"  # vaccines
ICD_10_CM = "icd-10-cm"  # diagnoses, with the dot
NO_SYSTEM = ""  # a coding that names no system: weak evidence
# Not a code system: the `value` is a reference to a resource that was not sent.
REFERENCE = "reference"
# Nor is this: the kind of a modifier in an unknown form.
MODIFIER = "modifier"


class Code(msgspec.Struct, frozen=True, gc=False):
    """A code and its code system: one of the constants above, or a URI."""

    system: str
    value: str


class Concept(msgspec.Struct, frozen=True, gc=False):
    """A coded concept: its codes, its display texts (weak evidence), and the ingredients of a mixture as `parts`."""

    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()
    parts: "tuple[Concept, ...]" = ()

    def values(self, *systems: str) -> tuple[str, ...]:
        """The codes of the given systems, in the order received."""
        return tuple(code.value for code in self.codes if code.system in systems)

    def names_any(self, billing_codes: frozenset[str]) -> bool:
        """True if one of the codes, without the modifiers behind it, is among billing codes; any system counts."""
        return any(code.value[:5].upper() in billing_codes for code in self.codes)
