"""The patients that references name: by resource, by identifier, or by a contained Patient.

Two patients are told apart only by what both state: references, identifiers of one system, dates of birth, names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from cds_service.fhir import resources as r
from cds_service.fhir.contained import contained_by, texts
from cds_service.fhir.elements import relative_reference

# One patient has few identities; more of them are not compared one by one.
_MOST_COMPARED = 50
_QUERY = "Patient?identifier="


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """A patient as named by a record: `Patient/id` or the URL of an entry, identifiers as `system|value`, date of birth
    and name in lower case. All are empty if not stated.
    """

    reference: str = ""
    identifiers: frozenset[str] = frozenset()
    born: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """One text for the patient, by which records are grouped; empty if nothing is stated."""
        if self.reference or self.identifiers:
            return self.reference or min(self.identifiers, key=lambda each: ("/us-mbi|" not in each, each))
        return f"born {self.born}, {self.name}" if self.born and self.name else ""

    def is_same(self, other: "PatientIdentity") -> bool:
        """True if the two share a reference or an identifier."""
        return bool((self.reference and self.reference == other.reference) or self.identifiers & other.identifiers)

    def is_told_apart(self, other: "PatientIdentity") -> bool:
        """True if the two are certainly different patients."""
        if self.reference and other.reference and _kind(self.reference) == _kind(other.reference):
            return self.reference != other.reference
        if self.is_same(other):
            return False
        if _by_system(self.identifiers).keys() & _by_system(other.identifiers).keys():
            return True
        return any(one and two and one != two for one, two in ((self.born, other.born), (self.name, other.name)))


def identity_of(
    reference: r.Reference | None, holder: r.Resource, aliases: Mapping[str, str], known: Mapping[str, PatientIdentity]
) -> PatientIdentity:
    """The patient that a resource refers to.

    `holder` may contain the Patient, `aliases` map fullUrls to references, `known` are the received patients.
    """
    if reference is None:
        return PatientIdentity()
    written = reference.reference or ""
    if written.startswith("#"):
        found = contained_by(reference, r.Patient, holder)
        return of_patient(found) if found else PatientIdentity()
    if _QUERY in written:
        return PatientIdentity(identifiers=frozenset({unquote(written.partition(_QUERY)[2])}))
    named = aliases.get(written) or relative_reference(written)
    named = named if named.startswith(("Patient/", "urn:")) else ""
    stated = known.get(named, PatientIdentity())
    return PatientIdentity(named, stated.identifiers | _written([reference.identifier]), stated.born, stated.name)


def of_patient(patient: r.Patient, reference: str = "") -> PatientIdentity:
    """The identity that a Patient states."""
    return PatientIdentity(
        reference, _written(patient.identifier or ()), patient.birth_date or "", _name(patient.name or ())
    )


def told_apart(identities: Iterable[PatientIdentity]) -> frozenset[PatientIdentity]:
    """The identities that are certainly of another patient than some other one; empty if all may be one patient."""
    distinct = list(dict.fromkeys(identities))
    if len(distinct) > _MOST_COMPARED:
        return frozenset(distinct)
    return frozenset(one for one in distinct if any(one.is_told_apart(other) for other in distinct))


def _written(identifiers: Iterable[r.Identifier | None]) -> frozenset[str]:
    return frozenset(f"{each.system or ''}|{each.value}" for each in identifiers if each and each.value)


def _name(names: Iterable[r.HumanName]) -> str:
    """The family name and the first given name: of the name with both, else empty."""
    for each in names:
        given = next(texts(each.given or ()), "")
        if each.family and given:
            return f"{each.family.strip()} {given}".lower()
    return ""


def _kind(reference: str) -> str:
    """The part of a reference that must be the same for two references to be compared."""
    return reference.partition("/" if "/" in reference else ":")[0]


def _by_system(identifiers: frozenset[str]) -> dict[str, str]:
    """Identifiers by their system; those without a system cannot be compared."""
    split = (each.partition("|") for each in identifiers)
    return {system: value for system, _, value in split if system}
