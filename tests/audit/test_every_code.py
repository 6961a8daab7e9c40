"""With `scope: all`, sound claims of any specialty stay silent, and broken ones get their own rule's finding only.

`make every-code` draws 10,000 of each, the test suite some hundreds.
"""

import os
from functools import partial
from pathlib import Path

import pytest

from cds_service.audit.fees import FeeTable
from cds_service.settings import Settings
from cds_service.wiring import create_auditor
from tests.support import cms_world
from tests.support.audits import audited, confusion_of
from tests.support.cms_release import load
from tests.support.sound_claims import Claim, Facts, draw, write

COUNT = int(os.environ.get("EVERY_CODE", "300"))
SEED = 7

Draw = tuple[dict[str, Claim], dict[str, Claim]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two quarters of invented tables."""
    return load(tmp_path_factory.mktemp("tables"), *cms_world.releases(SEED))


@pytest.fixture(scope="module")
def drawn(tables: Path) -> Draw:
    """Sound claims, and broken ones."""
    return draw(Facts.of(tables), SEED, COUNT)


@pytest.fixture(scope="module")
def settings(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a site that wants every code of a claim checked."""
    site = tmp_path_factory.mktemp("site") / "site.yaml"
    site.write_text("scope: all\n")
    return Settings(site_file=site, tables_dir=tables)


def test_sound_claims_are_silent_and_broken_ones_get_exactly_their_finding(
    drawn: Draw, settings: Settings, tmp_path: Path
) -> None:
    make = partial(create_auditor, settings, FeeTable(), everything=False)
    for name, claims in zip(("sound", "broken"), drawn, strict=True):
        export, out = write(tmp_path / name, claims), tmp_path / f"{name}-out"
        summary = audited(export, out, make=make)
        assert (summary["facts"]["patientsRead"], summary["facts"]["empty"]) == (len(claims), 0)
        table = confusion_of(claims, out)
        assert table.off_diagonal == {}, table
        assert table.not_checked == {}, table


def test_the_draw_has_every_kind_of_claim_and_fault(drawn: Draw) -> None:
    sound, broken = drawn
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
