"""The commands of the README and of the guides, run as written."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environment import without_settings
from tests.support.running import ROOT, free_port

LINES = 10


@pytest.mark.exhaustive
def test_production_in_ten_lines(tmp_path: Path) -> None:
    """All but the first, which sets up what these tests run in."""
    section = (ROOT / "deploy" / "README.md").read_text().split("## Production in ten lines", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert len(lines) == LINES
    assert lines[0].startswith("make install")
    command = tmp_path / "bin" / "cds-service"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cds_service "$@"\n')
    command.chmod(0o755)
    port = str(free_port())
    script = "\n".join(["set -eu", *lines[1:], "echo"]).replace(":8000", f":{port}")
    kept = without_settings(os.environ)
    variables = kept | {"PATH": f"{command.parent}:{kept['PATH']}", "PYTHONPATH": str(ROOT), "PORT": port}
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if '"services"' in line or "OperationOutcome" in line:
                break
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    assert '"services":[{' in said[-1], said
    assert "1 public keys with an id" in "".join(said)
