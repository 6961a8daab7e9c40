"""Sound and broken claims from invented tables, and the site they are judged by; EVERY_CODE is the number of each."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.support import cms_world
from tests.support.cms_release import load
from tests.support.sound_claims import Claim, Facts, draw

COUNT = int(os.environ.get("EVERY_CODE", "300"))
SEED = 7


@dataclass(frozen=True)
class Drawn:
    """Sound and broken claims by the names of their patients, the loaded tables, and the site's file."""

    claims: dict[str, dict[str, Claim]]
    tables: Path
    site_file: Path


def draw_claims(folder: Path) -> Drawn:
    """Two quarters of tables in a folder, and claims drawn from them."""
    tables = load(folder / "tables", *cms_world.releases(SEED))
    sound, broken = draw(Facts.of(tables), SEED, COUNT)
    site_file = folder / "site.yaml"
    site_file.write_text("scope: all\n")
    return Drawn({"sound": sound, "broken": broken}, tables, site_file)
