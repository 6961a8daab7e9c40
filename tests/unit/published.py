"""All that is published about codes, written down: the approved texts that `test_published.py` compares with.

`make docs` writes them again after a change of the knowledge. The difference is what readers of
the reference will see of it: read it line by line, as a coder would, before it is committed.
"""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cds_service.languages.worded import plain_text
from hooks.publish import ask, audit, candidates, claims, described, indicators, modifiers, terminology
from hooks.publish.ask_facts import pair
from hooks.publish.patient import plain_words
from hooks.publish.reference import reference

FOLDER = Path(__file__).parent / "published"

# What charge masters call such services.
DISPLAYS = (
    "ECHO STRESS W CONTRAST", "HC TTE STRESS COMPLETE W/ECG", "STRESS ECHO INTERP ONLY", "ECHO CONTRAST AGENT USE",
    "PERFLUTREN LIPID MICROSPHERES 1 ML", "OPTISON PER ML", "TREADMILL TEST SUPERV ONLY", "EKG TRACING", "TEE CONGEN",
    "ECHO LIMITED F/U", "DOPPLER COLOR FLOW", "MYOCARDIAL CONTRAST PERF", "IV PUSH INITIAL", "OFFICE VISIT",
    "DOBUTAMINE", "STRAIN IMAGING", "FETAL ECHO",
)  # fmt: skip
# One code of each kind, and those with the most to say. All codes are in the statements.
ON_PAGES = (
    "93350", "93351", "93352", "93306", "93320", "93015", "93018", "93000", "0439T", "96374", "C8928", "C8930", "Q9955",
    "94761", "Q9957", "A9700", "J1250",
)  # fmt: skip
PAIRED = ("93350", "93351", "93352", "93306", "93015", "93018", "0439T", "96374", "C8928", "Q9957")


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=plain_text, order="deterministic")


def code_pages() -> Any:
    return {code: plain(reference().page(code)) for code in ON_PAGES}


def modifier_pages() -> Any:
    return {"pages": plain(modifiers.modifier_pages()), "indicators": plain(indicators.indicator_values())}


def statements() -> Any:
    known = ask.knowledge()
    pairs = {f"{one} {other}": plain(pair(one, other, known.day)) for one, other in combinations(PAIRED, 2)}
    named = ("names", "codes_of", "given_as", "day", "kinds", "modifiers")
    return {"facts": plain(known.facts), "pairs": pairs} | {each: plain(getattr(known, each)) for each in named}


def lists() -> Any:
    page, case = claims.page(), described.case_knowledge()
    return {
        "audit": plain(audit.knowledge()),
        "candidates": {display: candidates.candidates("charge", display) for display in DISPLAYS},
        "candidates of drugs": {display: candidates.candidates("drug", display) for display in DISPLAYS},
        "claims": {"choices": plain(page.choices), "examples": plain(page.examples)},
        "described": {
            "names": sorted(map(list, case.recognized.names)),
            "claim kinds": dict(sorted(case.claim_kinds.items())),
            "studies": sorted(case.studies),
            "agents": sorted(case.agents),
        },
        "for patients": {each.code: plain(plain_words(each.code)) for each in reference().pages},
        "terminology": plain(terminology.terminology(lambda _: ())),
    }


# What is said of a source, which changes with each quarter.
CITED = frozenset({"source", "url", "checked", "verifiedThrough", "verified_through", "confidence", "release"})

KINDS: dict[str, Callable[[], Any]] = {
    "code-pages": code_pages, "modifier-pages": modifier_pages, "statements": statements, "lists": lists,
}  # fmt: skip


def approved(kind: str) -> Path:
    """The file of the approved texts of a kind."""
    return FOLDER / f"{kind}.yaml"


def written(kind: str) -> str:
    """The texts of a kind as YAML; a source is written once, below, and else by its number."""
    sources: dict[str, str] = {}
    texts = _with_numbers(KINDS[kind](), sources)
    dumped = {"texts": texts, "sources": {number: json.loads(source) for source, number in sources.items()}}
    return yaml.dump(dumped, Dumper=yaml.CSafeDumper, allow_unicode=True, width=120, sort_keys=False)


def _with_numbers(value: Any, sources: dict[str, str]) -> Any:
    if isinstance(value, dict):
        cited = {key: each for key, each in value.items() if key in CITED} if "confidence" in value else {}
        if not cited:
            return {str(key): _with_numbers(each, sources) for key, each in value.items()}
        number = sources.setdefault(json.dumps(cited), f"source {len(sources) + 1}")
        own = {str(key): _with_numbers(each, sources) for key, each in value.items() if key not in cited}
        return own | {"cited": number} if own else number
    if isinstance(value, list | tuple):
        return [_with_numbers(each, sources) for each in value]
    return value


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        approved(kind).write_text(written(kind), encoding="utf-8")


if __name__ == "__main__":
    write()
