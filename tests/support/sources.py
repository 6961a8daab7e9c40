"""Files of the project for tests that read them all: a test for each folder, since one for each file takes longer."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest

from tests.support.running import ROOT


def _folder(path: Path) -> str:
    return str(path.parent.relative_to(ROOT))


def by_folder(paths: Iterable[Path]) -> pytest.MarkDecorator:
    """Parametrizes a test by `paths`: the files of one folder, by its name."""
    folders = groupby(sorted(paths, key=_folder), _folder)
    return pytest.mark.parametrize("paths", [pytest.param(list(files), id=name) for name, files in folders])
