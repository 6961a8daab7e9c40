"""Loads the site's file: code mappings, time zone, kind of hospital, payers and MACs, rule settings, vial sizes.

A YAML file named by `CDS_SITE_FILE`, validated at startup: errors name the file, the line and the expected value.
`deploy/site.example.yaml` explains every part.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

import msgspec

from cds_service.core import strict_yaml
from cds_service.core.concepts import BILLING, LOINC, NDC, RXNORM, SNOMED, Code
from cds_service.core.site import CodeScope, HospitalKind, MedicarePart, Payer, Site
from cds_service.errors import Faults, SettingsError
from cds_service.fhir.systems import code_kind, normalized

LARGEST_VIAL = 100  # HCPCS units; a larger number is a typing error


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The names allowed in a site's file: rule ids, billing codes, supply codes, and questions about payers."""

    rules: Collection[str]
    codes: Collection[str]
    supplies: Collection[str]
    questions: Mapping[str, str]


class _Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class _Mapping(_Part):
    system: str
    code: str
    to: str
    note: str = ""


class _System(_Part):
    system: str
    all_mapped: bool
    note: str = ""


class _Rules(_Part):
    switched_off: list[str] = []
    lowered_to_info: list[str] = []


class _VialUnits(_Part):
    usual: bool = False
    products: dict[str, int] = {}


class _Medicare(_Part):
    part_a: Any = None
    part_b: Any = None


class _File(_Part):
    time_zone: str | None = None
    scope: str = "echo"
    hospital: str = "outpatient"
    medicare: _Medicare = msgspec.field(default_factory=_Medicare)
    mappings: list[_Mapping] = []
    systems: list[_System] = []
    payers: list[dict[str, Any]] = []
    rules: _Rules = msgspec.field(default_factory=_Rules)
    vial_units: _VialUnits = msgspec.field(default_factory=_VialUnits)


class _Names(_Part):
    names: list[str] = []
    identifiers: list[str] = []
    types: list[str] = []
    note: str = ""


PartT = TypeVar("PartT", bound=_Part)


def load_site(path: Path, vocabulary: Vocabulary) -> Site:
    """Load a site's file. Raises SettingsError with the invalid line."""
    return _Loader(strict_yaml.read(path, SettingsError), vocabulary).site()


class _Loader:
    def __init__(self, document: strict_yaml.Document, vocabulary: Vocabulary) -> None:
        self.document = document
        self.vocabulary = vocabulary

    def site(self) -> Site:
        """The site's settings. Raises SettingsError with the faults of all sections."""
        data, faults = self.document.data, Faults()
        if isinstance(data, dict):  # an empty section is the same as none
            data = {part: value for part, value in data.items() if value is not None}
            for part in list(data):
                faults.attempt(partial(self._convert, {part: data[part]}, _File, "$"))
            data = data if not faults.lines else self._valid(data)
        file = self._convert(data, _File, "$")
        found = [
            faults.attempt(partial(self._mapping, each, f"$.mappings[{i}]")) for i, each in enumerate(file.mappings)
        ]
        faults.add(self._repeated(found))
        time_zone = faults.attempt(partial(self._time_zone, file.time_zone))
        scope = faults.attempt(partial(self._one_of, get_args(CodeScope), "scope", file.scope))
        hospital = faults.attempt(partial(self._one_of, get_args(HospitalKind), "hospital", file.hospital))
        contractors = faults.attempt(partial(self._contractors, file.medicare))
        payers = [faults.attempt(partial(self._payer, raw, f"$.payers[{i}]")) for i, raw in enumerate(file.payers)]
        rules_off = faults.attempt(partial(self._rules, file.rules.switched_off, "$.rules.switched_off"))
        lowered = faults.attempt(partial(self._lowered, file.rules))
        vials = faults.attempt(partial(self._vials, file.vial_units.products))
        faults.raise_all()
        return Site(
            mappings=dict(each for each in found if each),
            mapped_systems=frozenset(_system(each.system) for each in file.systems if each.all_mapped),
            time_zone=time_zone,
            scope=cast(CodeScope, scope or "echo"),
            hospital=cast(HospitalKind, hospital or "outpatient"),
            medicare=contractors or {},
            payers=tuple(payer for payer in payers if payer),
            rules_off=rules_off or frozenset(),
            rules_lowered=lowered or frozenset(),
            vial_units=file.vial_units.usual,
            vial_units_of=vials or {},
        )

    def _valid(self, data: dict[str, Any]) -> dict[str, Any]:
        """The sections that can be converted; the faults of the others are known."""
        return {
            part: data[part]
            for part in data
            if Faults().attempt(partial(self._convert, {part: data[part]}, _File, "$"))
        }

    def _fault(self, path: str, text: str) -> SettingsError:
        return SettingsError(f"{self.document.name}: line {self.document.line_of(path)}: {text}")

    def _convert(self, data: Any, form: type[PartT], path: str) -> PartT:
        try:
            return msgspec.convert(data, form)
        except msgspec.ValidationError as error:
            text, _, where = str(error).partition(" - at `$")
            within = path + where.rstrip("`")
            unknown = re.fullmatch(r"Object contains unknown field `(.+)`", text)
            missing = re.fullmatch(r"Object missing required field `(.+)`", text)
            if unknown:
                raise self._fault(f"{within}.{unknown[1]}", f"unknown key `{unknown[1]}`") from None
            raise self._fault(within, f"`{missing[1]}` is required" if missing else _lower_first(text)) from None

    def _time_zone(self, name: str | None) -> ZoneInfo | None:
        try:
            return None if name is None else ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            text = "expected the IANA name of a time zone, such as America/Chicago"
            raise self._fault("$.time_zone", text) from None

    def _one_of(self, allowed: tuple[str, ...], key: str, value: str) -> str:
        if value not in allowed:
            raise self._fault(f"$.{key}", f"expected `{key}` to be {' or '.join(allowed)}")
        return value

    def _contractors(self, medicare: _Medicare) -> dict[MedicarePart, str]:
        """The numbers of the contractors by part."""
        stated: dict[MedicarePart, Any] = {"A": medicare.part_a, "B": medicare.part_b}
        for part, number in stated.items():
            if number is not None and not (isinstance(number, str) and re.fullmatch(r"\d{5}", number, re.ASCII)):
                text = f'expected the number of the MAC for Part {part}, five digits in quotes, such as "15102"'
                raise self._fault(f"$.medicare.part_{part.lower()}", text)
        return {part: number for part, number in stated.items() if number is not None}

    def _mapping(self, each: _Mapping, path: str) -> tuple[Code, str]:
        system = _system(each.system)
        code = Code(system, normalized(system, each.code))
        if each.to not in self.vocabulary.codes:
            raise self._fault(f"{path}.to", f"`{each.to}` is not a code in scope; `cds-service codes` lists them")
        if code.system == BILLING and code.value in self.vocabulary.codes:
            raise self._fault(f"{path}.code", f"`{code.value}` is a billing code in scope and cannot be mapped")
        return code, each.to

    def _repeated(self, mappings: list[tuple[Code, str] | None]) -> Iterator[str]:
        codes = [each and each[0] for each in mappings]
        for number, code in enumerate(codes):
            if code and code in codes[:number]:
                yield str(self._fault(f"$.mappings[{number}].code", f"the code `{code.value}` is mapped twice"))

    def _payer(self, raw: dict[str, Any], path: str) -> Payer:
        questions = self.vocabulary.questions
        names = self._convert({key: value for key, value in raw.items() if key not in questions}, _Names, path)
        answers = {key: value for key, value in raw.items() if key in questions}
        for question, answer in answers.items():
            if not isinstance(answer, bool):
                raise self._fault(f"{path}.{question}", f"expected `{question}` to be true or false")
        if not (names.names or names.identifiers or names.types):
            raise self._fault(path, "expected a payer to have `names`, `identifiers` or `types`")
        return Payer(
            names=frozenset(each.strip().lower() for each in names.names),
            identifiers=frozenset(names.identifiers),
            types=frozenset(names.types),
            answers=answers,
        )

    def _rules(self, ids: list[str], path: str) -> frozenset[str]:
        faults = Faults()
        for number, each in enumerate(ids):
            if each not in self.vocabulary.rules:
                text = f"unknown rule `{each}`; expected one of {_listed(self.vocabulary.rules)}"
                faults.add([str(self._fault(f"{path}[{number}]", text))])
        faults.raise_all()
        return frozenset(ids)

    def _lowered(self, rules: _Rules) -> frozenset[str]:
        lowered = self._rules(rules.lowered_to_info, "$.rules.lowered_to_info")
        for number, each in enumerate(rules.lowered_to_info):
            if each in rules.switched_off:
                raise self._fault(f"$.rules.lowered_to_info[{number}]", f"the rule `{each}` is switched off above")
        return lowered

    def _vials(self, products: dict[str, int]) -> dict[str, Decimal]:
        faults = Faults()
        for code, units in products.items():
            faults.attempt(partial(self._require_vial, code, units))
        faults.raise_all()
        return {code: Decimal(units) for code, units in products.items()}

    def _require_vial(self, code: str, units: int) -> None:
        path = f"$.vial_units.products.{code}"
        if code not in self.vocabulary.supplies:
            raise self._fault(path, f"expected a supply code: one of {_listed(self.vocabulary.supplies)}")
        if not 0 < units <= LARGEST_VIAL:
            raise self._fault(path, f"expected the HCPCS units of one vial, from 1 to {LARGEST_VIAL}")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))


def _system(written: str) -> str:
    """The code system of a URI or short name; empty for codings without a system."""
    text = written.strip()
    short = text.lower()
    return short if short in {BILLING, LOINC, NDC, RXNORM, SNOMED} else code_kind(text)
