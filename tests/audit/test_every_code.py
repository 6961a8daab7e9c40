"""With `scope: all`, sound claims of any specialty stay silent, and broken ones get their own rule's finding only.

`make every-code` draws 10,000 of each, the test suite some hundreds.
"""

from functools import partial
from pathlib import Path

import pytest

from cds_service.audit.fees import FeeTable
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.support.audits import audited, confusion_of
from tests.support.every_code import Drawn, draw_claims
from tests.support.sound_claims import write


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Claims, and a site that wants every code of them checked."""
    return draw_claims(tmp_path_factory.mktemp("drawn"))


def test_sound_claims_are_silent_and_broken_ones_get_exactly_their_finding(drawn: Drawn, tmp_path: Path) -> None:
    settings = Settings(site_file=drawn.site_file, tables_dir=drawn.tables)
    make = partial(create_auditor, settings, FeeTable(), everything=False)
    assert drawn.claims
    for name, claims in drawn.claims.items():
        export, out = write(tmp_path / name, claims), tmp_path / f"{name}-out"
        summary = audited(export, out, make=make)
        assert (summary["facts"]["patientsRead"], summary["facts"]["empty"]) == (len(claims), 0)
        table = confusion_of(claims, out)
        assert (table.off_diagonal, table.not_checked) == ({}, {}), table


def test_the_draw_has_every_kind_of_claim_and_fault(drawn: Drawn) -> None:
    sound, broken = drawn.claims["sound"], drawn.claims["broken"]
    assert {each.kind for each in sound.values()} == {"professional", "institutional", "lines"}
    assert max(len(each.charges) for each in sound.values()) > 8
    assert {len({line.day for line in each.charges}) for each in sound.values()} == {1, 2}
    assert {len(each.at) for each in broken.values()} == {1, 2}
    kinds = {(each.rule, each.kind) for each in broken.values()}
    assert {rule for rule, _ in kinds} == {
        "add-on-modifier",
        "add-on-without-primary",
        "code-for-other-setting",
        "code-not-active",
        "pair-conflict",
        "units-over-limit",
    }
    assert {("pair-conflict", kind) for kind in ("professional", "institutional", "lines")} <= kinds
