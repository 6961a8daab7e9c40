"""Reads the names of NM1: providers and payers."""

from cds_service.intake.x12.claim import Payer, Provider
from cds_service.intake.x12.segments import Segment

_PERSON = "1"
_NPI = "XX"


def provider(segment: Segment) -> Provider:
    """The provider of an NM1; its number counts if it is an NPI."""
    is_person = segment.value(2) == _PERSON
    given = f"{segment.value(4)} " if is_person and segment.value(4) else ""
    npi = segment.value(9) if segment.value(8) == _NPI else ""
    return Provider(npi, f"{given}{segment.value(3)}", is_person)


def organization(segment: Segment) -> str:
    """The name of an organization, as of a service facility; empty for a person."""
    return "" if segment.value(2) == _PERSON else segment.value(3)


def payer_named(payer: Payer, segment: Segment) -> None:
    """Set the name and the number of a payer by its NM1."""
    payer.name, payer.number = organization(segment), segment.value(9)
