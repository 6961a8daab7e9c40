"""The files of cases, read by the parser in C: each process of the tests reads all of them."""

from pathlib import Path
from typing import Any

import yaml


def read(path: Path) -> Any:
    """The content of a file of ours."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
