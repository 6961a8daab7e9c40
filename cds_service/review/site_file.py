"""Loads the site's file: code mappings, time zone, kind of hospital, payers and MACs, rule settings, vial sizes, and
the name of a file of the site's own statements.

A YAML file named by `CDS_SITE_FILE`, validated at startup: errors name the file, the line and the expected value.
`deploy/site.example.yaml` explains every part.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

import msgspec

from cds_service.core import strict_yaml
from cds_service.core.checked_file import CheckedFile, Part
from cds_service.core.concepts import BILLING, LOINC, NDC, RXNORM, SNOMED, Code
from cds_service.core.site import CodeScope, HospitalKind, MedicarePart, Payer, Site, SiteStatement
from cds_service.errors import Faults, SettingsError
from cds_service.fhir.systems import code_kind, normalized
from cds_service.review.statement_file import StatementWords, load_statements

LARGEST_VIAL = 100  # HCPCS units; a larger number is a typing error


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The names allowed in a site's file: rule ids, billing codes, supply codes, and questions about payers.

    `payers` are those that need no entry in the file, `settings` and `topics` those that a statement may name.
    """

    rules: Collection[str]
    codes: Collection[str]
    supplies: Collection[str]
    questions: Mapping[str, str]
    payers: Collection[str]
    settings: Collection[str]
    topics: Collection[str]


class _Mapping(Part):
    system: str
    code: str
    to: str
    note: str = ""


class _System(Part):
    system: str
    all_mapped: bool
    note: str = ""


class _Rules(Part):
    switched_off: tuple[str, ...] = ()
    lowered_to_info: tuple[str, ...] = ()


class _VialUnits(Part):
    usual: bool = False
    products: dict[str, int] = msgspec.field(default_factory=dict)


class _Medicare(Part):
    part_a: Any = None
    part_b: Any = None


class _File(Part):
    time_zone: str | None = None
    scope: str = "echo"
    hospital: str = "outpatient"
    medicare: _Medicare = msgspec.field(default_factory=_Medicare)
    mappings: tuple[_Mapping, ...] = ()
    systems: tuple[_System, ...] = ()
    payers: tuple[dict[str, Any], ...] = ()
    rules: _Rules = msgspec.field(default_factory=_Rules)
    vial_units: _VialUnits = msgspec.field(default_factory=_VialUnits)
    statements: str | None = None


class _Names(Part):
    names: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    note: str = ""


def load_site(path: Path, vocabulary: Vocabulary) -> Site:
    """Load a site's file. Raises SettingsError with the invalid line."""
    return _Loader(path, vocabulary).site()


class _Loader(CheckedFile):
    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        super().__init__(strict_yaml.read(path, SettingsError))
        self.folder = path.parent
        self.vocabulary = vocabulary

    def site(self) -> Site:
        """The site's settings. Raises SettingsError with the faults of all sections."""
        data, faults = self.document.data, Faults()
        if isinstance(data, dict):  # an empty section is the same as none
            data = {part: value for part, value in data.items() if value is not None}
            for part in list(data):
                faults.attempt(partial(self.convert, {part: data[part]}, _File, "$"))
            data = data if not faults.lines else self._valid(data)
        file = self.convert(data, _File, "$")
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
        statements = faults.attempt(partial(self._statements, file.statements, [each for each in payers if each]))
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
            statements=statements or (),
        )

    def _valid(self, data: dict[str, Any]) -> dict[str, Any]:
        """The sections that can be converted; the faults of the others are known."""
        return {
            part: data[part] for part in data if Faults().attempt(partial(self.convert, {part: data[part]}, _File, "$"))
        }

    def _time_zone(self, name: str | None) -> ZoneInfo | None:
        try:
            return None if name is None else ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            text = "expected the IANA name of a time zone, such as America/Chicago"
            raise self.fault("$.time_zone", text) from None

    def _one_of(self, allowed: tuple[str, ...], key: str, value: str) -> str:
        if value not in allowed:
            raise self.fault(f"$.{key}", f"expected `{key}` to be {' or '.join(allowed)}")
        return value

    def _contractors(self, medicare: _Medicare) -> dict[MedicarePart, str]:
        """The numbers of the contractors by part."""
        stated: dict[MedicarePart, Any] = {"A": medicare.part_a, "B": medicare.part_b}
        for part, number in stated.items():
            if number is not None and not (isinstance(number, str) and re.fullmatch(r"\d{5}", number, re.ASCII)):
                text = f'expected the number of the MAC for Part {part}, five digits in quotes, such as "15102"'
                raise self.fault(f"$.medicare.part_{part.lower()}", text)
        return {part: number for part, number in stated.items() if number is not None}

    def _mapping(self, each: _Mapping, path: str) -> tuple[Code, str]:
        system = _system(each.system)
        code = Code(system, normalized(system, each.code))
        if each.to not in self.vocabulary.codes:
            raise self.fault(f"{path}.to", f"`{each.to}` is not a code in scope; `cds-service codes` lists them")
        if code.system == BILLING and code.value in self.vocabulary.codes:
            raise self.fault(f"{path}.code", f"`{code.value}` is a billing code in scope and cannot be mapped")
        return code, each.to

    def _repeated(self, mappings: list[tuple[Code, str] | None]) -> Iterator[str]:
        codes = [each and each[0] for each in mappings]
        for number, code in enumerate(codes):
            if code and code in codes[:number]:
                yield str(self.fault(f"$.mappings[{number}].code", f"the code `{code.value}` is mapped twice"))

    def _payer(self, raw: dict[str, Any], path: str) -> Payer:
        questions = self.vocabulary.questions
        names = self.convert({key: value for key, value in raw.items() if key not in questions}, _Names, path)
        answers = {key: value for key, value in raw.items() if key in questions}
        for question, answer in answers.items():
            if not isinstance(answer, bool):
                raise self.fault(f"{path}.{question}", f"expected `{question}` to be true or false")
        if not (names.names or names.identifiers or names.types):
            raise self.fault(path, "expected a payer to have `names`, `identifiers` or `types`")
        return Payer(
            names=frozenset(each.strip().lower() for each in names.names),
            identifiers=frozenset(names.identifiers),
            types=frozenset(names.types),
            answers=answers,
        )

    def _statements(self, name: str | None, payers: list[Payer]) -> tuple[SiteStatement, ...]:
        """The statements of the file that this one names, by a path from its own folder."""
        if name is None:
            return ()
        if not name.strip():
            raise self.fault("$.statements", "expected `statements` to be the name of a file")
        path = self.folder / name
        if not path.is_file():
            raise self.fault("$.statements", f"there is no file `{name}`, seen from the folder of this one")
        named = frozenset[str]().union(*(each.names | each.identifiers for each in payers))
        words = StatementWords(
            codes=self.vocabulary.codes,
            rules=self.vocabulary.rules,
            payers=frozenset(each.lower() for each in named) | frozenset(self.vocabulary.payers),
            settings=self.vocabulary.settings,
            topics=self.vocabulary.topics,
        )
        return load_statements(path, words)

    def _rules(self, ids: Sequence[str], path: str) -> frozenset[str]:
        faults = Faults()
        for number, each in enumerate(ids):
            if each not in self.vocabulary.rules:
                text = f"unknown rule `{each}`; expected one of {_listed(self.vocabulary.rules)}"
                faults.add([str(self.fault(f"{path}[{number}]", text))])
        faults.raise_all()
        return frozenset(ids)

    def _lowered(self, rules: _Rules) -> frozenset[str]:
        lowered = self._rules(rules.lowered_to_info, "$.rules.lowered_to_info")
        for number, each in enumerate(rules.lowered_to_info):
            if each in rules.switched_off:
                raise self.fault(f"$.rules.lowered_to_info[{number}]", f"the rule `{each}` is switched off above")
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
            raise self.fault(path, f"expected a supply code: one of {_listed(self.vocabulary.supplies)}")
        if not 0 < units <= LARGEST_VIAL:
            raise self.fault(path, f"expected the HCPCS units of one vial, from 1 to {LARGEST_VIAL}")


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))


def _system(written: str) -> str:
    """The code system of a URI or short name; empty for codings without a system."""
    text = written.strip()
    short = text.lower()
    return short if short in {BILLING, LOINC, NDC, RXNORM, SNOMED} else code_kind(text)
