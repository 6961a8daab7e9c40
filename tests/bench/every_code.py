"""Measures what every code of a claim costs: `python -m tests.bench.every_code`.

Claims of 50 lines of other specialties, drawn from two quarters of invented tables, are reviewed in this process: with
`scope: echo` without tables, as most sites run, and with both scopes and the tables loaded. CPU time of a call.
"""

import random
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import quantiles

import hooks
from cds_service.cms.lookup import Tables
from cds_service.core.site import CodeScope
from cds_service.review.advisor import Advisor
from cds_service.settings import Settings
from cds_service.wiring import create_advisor
from tests.support import cms_world
from tests.support.cms_release import load
from tests.support.notation import body_of
from tests.support.sound_claims import MEDICARE, OFFICE, Claim, Claims, Facts

LINES = 50
CLAIMS = 20
CALLS = 300
DAY = date(2026, 11, 2)
SEED = 1
SERVICE = next(each for each in hooks.all_services() if each.id == "contrast-echo-claim-review")


def bodies(facts: Facts) -> dict[str, list[bytes]]:
    """Requests with sound claims, and with claims of any codes, whose faults are many."""
    claims, dice = Claims(facts, SEED), random.Random(SEED)
    common = {"place": OFFICE, "payer": MEDICARE, "day": DAY.isoformat()}
    sound = []
    for _ in range(CLAIMS):
        claim = Claim("professional", MEDICARE, OFFICE)
        while len(claim.charges) < LINES:
            claims.add_line(claim, DAY, "A")
        sound.append(", ".join(map(str, claim.charges)))
    drawn = [", ".join(dice.sample(facts.codes, LINES)) for _ in range(CLAIMS)]
    every = {"sound": sound, "any codes": drawn}
    return {name: [body_of({"professional": lines, **common}) for lines in texts] for name, texts in every.items()}


def measure(advisor: Advisor, requests: list[bytes]) -> tuple[float, float, float]:
    """The median and the 99th centile of CPU time in ms, and the mean number of findings."""
    took, found = [], 0
    for number in range(CALLS):
        start = time.process_time()
        answer = advisor.answer(SERVICE, requests[number % CLAIMS])
        took.append(1e3 * (time.process_time() - start))
        found += len(answer.review.findings)
    centiles = quantiles(took, n=100)
    return centiles[49], centiles[98], found / CALLS


def main() -> None:
    """Draw, review, print."""
    plain = create_advisor(Settings())
    with tempfile.TemporaryDirectory() as folder:
        loaded = Tables(load(Path(folder), *cms_world.releases(SEED)))
        requests = bodies(Facts.of(Path(folder)))
        sites: list[tuple[str, CodeScope, Tables]] = [
            ("scope: echo, no tables", "echo", plain.tables),
            ("scope: echo, tables", "echo", loaded),
            ("scope: all, tables", "all", loaded),
        ]
        for label, scope, tables in sites:
            advisor = replace(plain, tables=tables, site=replace(plain.site, scope=scope))
            for kind, texts in requests.items():
                p50, p99, found = measure(advisor, texts)
                sys.stdout.write(f"{label}, {kind}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {found:.1f} findings\n")


if __name__ == "__main__":
    main()
