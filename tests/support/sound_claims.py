"""Claims of any specialty, drawn from loaded tables: sound ones, and broken ones with one known fault each.

The tables' rows are read one by one and compared here, without the lookups that the service uses. A fault is the rule
that has to find it and the lines it has to cite.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cds_service.cms.catalog import Release, files_in
from cds_service.cms.lookup import TableFile
from hooks.codes.tables import KNOWN_CODES, PAIR_MODIFIERS
from tests.support.notation import request_of

MEDICARE, COMMERCIAL = "SOPT 121", "SOPT 512"
OFFICE, HOSPITAL_OUTPATIENT, SURGERY_CENTER, HOME = "11", "22", "24", "12"
SETTINGS = {
    "professional": ("professional",),
    "institutional": ("facility",),
    "lines": ("professional", "facility"),
}
_TRIES = 60


@dataclass(frozen=True)
class Facts:
    """The rows of the loaded tables by what they are asked for; those of a quarter by its release."""

    pairs: dict[tuple[str, str, str], list[Any]]
    add_ons: dict[str, list[Any]]
    of_quarter: dict[tuple[str, str, str], tuple[Release, dict[str, Any]]]
    codes: list[str]

    @staticmethod
    def of(folder: Path) -> "Facts":
        """The rows of a folder's tables."""
        facts = Facts(defaultdict(list), defaultdict(list), {}, [])
        codes: set[str] = set()
        for path in files_in(folder):
            file = TableFile(path)
            release = file.release
            for key, rows in file.groups():
                for row in rows:
                    if release.kind == "ptp":
                        facts.pairs[release.setting, row.column_1, row.column_2].append(row)
                    elif release.kind == "add-ons":
                        facts.add_ons[key].append(row)
                    elif len(key) == len("99999"):
                        place = (release.kind, release.setting, release.quarter)
                        facts.of_quarter.setdefault(place, (release, {}))[1].setdefault(key, row)
                        codes.add(key)
        facts.codes.extend(sorted(codes - KNOWN_CODES))
        return facts

    def days(self) -> list[date]:
        """The days of the quarters that have a table of every kind of limit."""
        quarters = {release.quarter: release for release, _ in self.of_quarter.values() if release.kind == "mue"}
        spans = [(each.first, (each.last - each.first).days + 1) for _, each in sorted(quarters.items())]
        return [first + timedelta(days=number) for first, count in spans for number in range(count)]

    def row(self, kind: str, setting: str, code: str, day: date) -> Any:
        """The row of a code in the release of the day; None if there is none."""
        for release, rows in self.of_quarter.values():
            if (release.kind, release.setting) == (kind, setting) and release.first <= day <= release.last:
                return rows.get(code)
        return None

    def indicators(self, one: str, other: str, day: date, setting: str) -> set[tuple[str, str, int]]:
        """The edits in force between two codes, in either order, as (column 1, column 2, indicator)."""
        return {
            (*order, row.indicator)
            for order in ((one, other), (other, one))
            for row in self.pairs.get((setting, *order), ())
            if row.first <= day and (row.last is None or day <= row.last) and row.indicator < 2
        }

    def edits(self, add_on: str, day: date) -> list[Any]:
        """The edits of an add-on in force."""
        return [row for row in self.add_ons.get(add_on, ()) if row.first <= day and (not row.ends or day <= row.ends)]

    def closed_primaries(self, add_on: str, day: date) -> list[str]:
        """The primaries of an add-on with a closed list; none for other codes."""
        edits = self.edits(add_on, day)
        is_closed = all(row.type == 1 and row.primary != "CCCCC" for row in edits)
        return [row.primary for row in edits] if is_closed else []


@dataclass(frozen=True)
class Charge:
    """A line: `by` is a practitioner's name, empty if none is stated."""

    code: str
    day: date
    units: int = 1
    modifiers: tuple[str, ...] = ()
    by: str = ""

    def __str__(self) -> str:
        written = "-".join((self.code, *self.modifiers)) + (f"x{self.units}" if self.units > 1 else "")
        return f"{written} on {self.day.isoformat()}" + (f" by {self.by}" if self.by else "")


@dataclass(frozen=True)
class Claim:
    """A claim, or charges that are on none (`kind` is `lines`), and its fault: the rule, and the lines at fault."""

    kind: str
    payer: str
    place: str
    charges: list[Charge] = field(default_factory=list)
    rule: str = ""
    at: frozenset[int] = frozenset()

    def broken(self, rule: str, charges: list[Charge], *at: Charge) -> "Claim":
        """The claim with other charges, of which some are at fault."""
        numbers = frozenset(number for number, each in enumerate(charges) if each in at)
        return replace(self, rule=rule, charges=charges, at=numbers)

    def resources(self, name: str) -> Iterator[dict[str, Any]]:
        """The claim as resources of a patient of its own, with the patient and the coverage."""
        case: dict[str, Any] = {self.kind: ", ".join(map(str, self.charges)), "payer": self.payer}
        if self.kind == "professional":
            case["place"] = self.place
        if self.kind == "institutional":
            case["bill"] = self.place
        request = request_of({"day": self.charges[0].day.isoformat()} | case)
        entries = request["context"]["draftCharges"]["entry"] + request["prefetch"]["coverages"]["entry"]
        yield {"resourceType": "Patient", "id": name}
        for each in entries:
            resource = each["resource"] | {"id": f"{name}-{each['resource']['id']}"}
            text = json.dumps(resource).replace('"Patient/p1"', f'"Patient/{name}"')
            yield json.loads(text.replace('"Coverage/coverage"', f'"Coverage/{name}-coverage"'))

    def cited(self, name: str) -> frozenset[str]:
        """The references by which a finding cites the lines at fault."""
        if self.kind == "lines":
            return frozenset(f"ChargeItem/{name}-line-{number + 1}" for number in self.at)
        return frozenset(f"Claim/{name}-claim-{self.kind} item {number + 1}" for number in self.at)


class Claims:
    """Draws claims from tables, by a seed."""

    def __init__(self, facts: Facts, seed: int) -> None:
        self.facts = facts
        self.dice = random.Random(seed)
        self.days = facts.days()
        self.distinct = sorted(entry.code for entry in PAIR_MODIFIERS)
        self.faults: dict[str, Callable[[Claim], Claim | None]] = {
            "add-on-without-primary": self._lonely_add_on,
            "pair-conflict": self._pair,
            "units-over-limit": self._too_many_units,
            "add-on-modifier": self._component,
            "code-not-active": self._ended,
            "code-for-other-setting": self._other_setting,
        }

    def sound(self) -> Claim:
        """A claim of one to three days with nothing wrong in it."""
        dice = self.dice
        kind = dice.choices(("professional", "institutional", "lines"), (5, 3, 2))[0]
        places = (OFFICE, HOSPITAL_OUTPATIENT, SURGERY_CENTER, HOME) if kind == "professional" else ("131", "")
        claim = Claim(kind, dice.choice((MEDICARE, COMMERCIAL)), dice.choice(places))
        first = dice.randrange(len(self.days))
        by = dice.choice(("", "A"))
        for day in sorted({self.days[min(first + shift, len(self.days) - 1)] for shift in (0, dice.randrange(9))}):
            for _ in range(dice.randrange(1, 7)):
                self.add_line(claim, day, by)
        return claim if claim.charges else self.sound()

    def broken(self, rule: str) -> Claim:
        """A sound claim to which one fault was added."""
        for _ in range(100 * _TRIES):
            found = self.faults[rule](self.sound())
            if found is not None:
                return found
        raise AssertionError(f"the tables hold no fault for {rule}")

    # --- sound lines ----------------------------------------------------------------------------------------------

    def add_line(self, claim: Claim, day: date, by: str) -> None:
        """Add a line, or an add-on with its primary; none if the code that was drawn does not fit."""
        code = self.dice.choice(self.facts.codes)
        primaries = self.facts.closed_primaries(code, day)
        if self.facts.edits(code, day) and not primaries:
            return
        wanted = [code, self.dice.choice(primaries)] if primaries else [code]
        if not all(self._fits(each, claim, day) for each in wanted) or any(
            self.facts.edits(each, day) for each in wanted[1:]
        ):
            return
        added: list[Charge] = []
        for each in wanted:
            line = self._with_details(Charge(each, day, self._units(each, claim, day), by=by), claim)
            found = self._in_peace(line, [*claim.charges, *added], claim)
            if found is None:
                return
            added.append(found)
        claim.charges.extend(added)

    def _fits(self, code: str, claim: Claim, day: date) -> bool:
        """True if the code may be charged: in force, of the setting, not on the day already, and with a limit."""
        facts, settings = self.facts, SETTINGS[claim.kind]
        if any(each.code == code and each.day == day for each in claim.charges) or self._most(code, claim, day) == 0:
            return False
        if code[0].isalpha() and not self._is_in_force(code, day):
            return False
        if code[0] == "C" and (claim.kind == "lines" or (claim.kind == "professional" and claim.place != "24")):
            return False
        status = facts.row("opps", "", code, day) if "facility" in settings else None
        is_refused = status is not None and status.status in {"B", "M"}
        return not (is_refused and claim.kind == "institutional" and claim.payer == MEDICARE)

    def _is_in_force(self, code: str, day: date) -> bool:
        row = self.facts.row("hcpcs", "", code, day)
        return row is not None and row.added <= day and (row.terminated is None or day <= row.terminated)

    def _most(self, code: str, claim: Claim, day: date) -> int:
        """The units that every setting of the claim allows."""
        rows = [self.facts.row("mue", setting, code, day) for setting in SETTINGS[claim.kind]]
        return min((row.units for row in rows if row is not None), default=9)

    def _units(self, code: str, claim: Claim, day: date) -> int:
        return self.dice.randrange(1, self._most(code, claim, day) + 1)

    def _with_details(self, line: Charge, claim: Claim) -> Charge:
        """The line, sometimes with a component, where the fee schedule divides the code."""
        fee = self.facts.row("fees", "nonqpp", line.code, line.day)
        if claim.kind == "professional" and fee is not None and fee.pc_tc == "1" and self.dice.random() < 0.1:
            return replace(line, modifiers=("26",))
        return line

    def _in_peace(self, line: Charge, others: list[Charge], claim: Claim) -> Charge | None:
        """The line if no pair forbids it; of a pair of indicator 1, sometimes with a modifier that bypasses it."""
        found = self._edits_among(line, others, claim)
        if found and all(indicator for *_, indicator in found) and self.dice.random() < 0.5:
            return replace(line, modifiers=(*line.modifiers, self.dice.choice(self.distinct)))
        return None if found else line

    def _edits_among(self, line: Charge, others: list[Charge], claim: Claim) -> set[tuple[str, str, int]]:
        found: set[tuple[str, str, int]] = set()
        for setting in SETTINGS[claim.kind]:
            for other in others:
                if other.day == line.day:
                    found |= self.facts.indicators(line.code, other.code, line.day, setting)
        return found

    # --- faults ---------------------------------------------------------------------------------------------------

    def _candidates(self, claim: Claim, day: date) -> Iterator[str]:
        """Some codes that fit the claim and are no add-ons."""
        for code in self.dice.sample(self.facts.codes, _TRIES):
            if not self.facts.edits(code, day) and self._fits(code, claim, day):
                yield code

    def _is_alone(self, line: Charge, claim: Claim) -> bool:
        return not self._edits_among(line, claim.charges, claim)

    def _lonely_add_on(self, claim: Claim) -> Claim | None:
        day, by = claim.charges[0].day, claim.charges[0].by
        charged = {each.code for each in claim.charges if each.day == day}
        for code in self.dice.sample(sorted(self.facts.add_ons), len(self.facts.add_ons)):
            line = Charge(code, day, by=by)
            primaries = self.facts.closed_primaries(code, day)
            is_lonely = bool(primaries) and code not in KNOWN_CODES and not charged & set(primaries)
            if is_lonely and self._fits(code, claim, day) and self._is_alone(line, claim):
                return claim.broken("add-on-without-primary", [*claim.charges, line], line)
        return None

    def _pair(self, claim: Claim) -> Claim | None:
        """One more code that forms a pair with one line, and with no other."""
        target = self.dice.choice(claim.charges)
        of_code = [each for each in claim.charges if (each.code, each.day) == (target.code, target.day)]
        if "26" in target.modifiers or len(of_code) > 1:
            return None
        for code in self._candidates(claim, target.day):
            line = Charge(code, target.day, by=target.by)
            rest = [each for each in claim.charges if each != target]
            found = [self.facts.indicators(code, target.code, target.day, each) for each in SETTINGS[claim.kind]]
            if len(found[0]) != 1 or any(each != found[0] for each in found) or self._edits_among(line, rest, claim):
                continue
            ((*_, indicator),) = found[0]
            if any(each.modifiers for each in claim.charges if each.day == target.day) and indicator:
                continue
            if indicator == 0 and self.dice.random() < 0.5:
                line = replace(line, modifiers=(self.dice.choice(self.distinct),))
            return claim.broken("pair-conflict", [*claim.charges, line], target, line)
        return None

    def _too_many_units(self, claim: Claim) -> Claim | None:
        """Units above the larger of the limits that the claim's setting leaves open."""
        line = self.dice.choice(claim.charges)
        settings = [*SETTINGS[claim.kind]]
        rows = [self.facts.row("mue", setting, line.code, line.day) for setting in settings]
        if None in rows:
            return None
        if "professional" in settings and line.code[0] in "ABEKLV":
            supplier = self.facts.row("mue", "dme", line.code, line.day)
            rows += [supplier] if supplier else []
        if "26" in line.modifiers:
            rows = rows[:1]
        most = max(row.units for row in rows)
        charged = replace(line, units=most + self.dice.choice((1, 1, 5)))
        charges = [charged if each == line else each for each in claim.charges]
        return claim.broken("units-over-limit", charges, charged)

    def _component(self, claim: Claim) -> Claim | None:
        line = self.dice.choice(claim.charges)
        fee = self.facts.row("fees", "nonqpp", line.code, line.day)
        if fee is None or fee.pc_tc != "0" or claim.kind == "lines":
            return None
        charged = replace(line, modifiers=(*line.modifiers, self.dice.choice(("26", "TC"))))
        charges = [charged if each == line else each for each in claim.charges]
        return claim.broken("add-on-modifier", charges, charged)

    def _ended(self, claim: Claim) -> Claim | None:
        """A Level II code that the release of the day lists as ended, or not begun."""
        day, by = claim.charges[0].day, claim.charges[0].by
        for code in self.dice.sample(self.facts.codes, _TRIES):
            if code[0] == "C" or self.facts.row("hcpcs", "", code, day) is None or self._is_in_force(code, day):
                continue
            line = Charge(code, day, by=by)
            status = self.facts.row("opps", "", code, day)
            is_refused = status is not None and status.status in {"B", "M"}
            if self._most(code, claim, day) and not is_refused and self._is_alone(line, claim):
                return claim.broken("code-not-active", [*claim.charges, line], line)
        return None

    def _other_setting(self, claim: Claim) -> Claim | None:
        """A C code on a practitioner's claim, or a status B or M on a hospital's."""
        day, by = claim.charges[0].day, claim.charges[0].by
        for code in self.dice.sample(self.facts.codes, len(self.facts.codes)):
            line = Charge(code, day, by=by)
            if claim.kind == "professional":
                is_wrong = code[0] == "C" and claim.place != SURGERY_CENTER and self._is_in_force(code, day)
            elif claim.kind == "institutional" and claim.payer == MEDICARE:
                status = self.facts.row("opps", "", code, day)
                is_wrong = status is not None and status.status in {"B", "M"} and code[0] != "C"
                is_wrong = is_wrong and (code[0].isdigit() or self._is_in_force(code, day))
            else:
                return None
            if is_wrong and not self.facts.edits(code, day) and self._most(code, claim, day):
                return claim.broken("code-for-other-setting", [*claim.charges, line], line)
        return None


def write(folder: Path, claims: dict[str, Claim]) -> Path:
    """An export of claims, each of a patient by name; the folder."""
    folder.mkdir(parents=True)
    by_type: dict[str, list[str]] = defaultdict(list)
    for name, claim in claims.items():
        for resource in claim.resources(name):
            by_type[resource["resourceType"]].append(json.dumps(resource))
    for kind, lines in by_type.items():
        (folder / f"{kind}.ndjson").write_text("\n".join(lines) + "\n")
    return folder


def draw(facts: Facts, seed: int, count: int) -> tuple[dict[str, Claim], dict[str, Claim]]:
    """So many sound claims, and as many broken ones with each fault in turn, by the names of their patients."""
    claims = Claims(facts, seed)
    sound = {f"sound-{number}": claims.sound() for number in range(count)}
    rules = list(claims.faults)
    return sound, {f"broken-{number}": claims.broken(rules[number % len(rules)]) for number in range(count)}
