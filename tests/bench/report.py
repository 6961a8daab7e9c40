"""The figures as tables in Markdown, with the machine that they are of."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.load import CONNECTIONS, GENERATOR
from tests.bench.measure import LOAD_CORE, SERVER_CORE
from tests.support.running import ROOT


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """A figure with three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float, baseline: float, target: float | None = None) -> str:
    """A cost beside the baseline's, and whether it is within its target."""
    if target is None:
        return f"{value / baseline:.2f}"
    return f"{value / baseline:.2f} ({'≤' if value / baseline <= target else '**over**'} {target:g})"


def machine() -> str:
    """The machine of the figures."""
    names = ("granian", "flask", "msgspec", "orjson")
    rows = [
        ("when", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("commit", _commit()),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("libraries", ", ".join(f"{name} {version(name)}" for name in names)),
        ("load", f"{GENERATOR}, {CONNECTIONS} connections; server on core {SERVER_CORE}, load on core {LOAD_CORE}"),
        ("load average at the end", ", ".join(f"{each:.2f}" for each in os.getloadavg())),
    ]
    return table(("", ""), rows)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
