"""The wheel, in an empty folder: commands, the server, its pages and its sandbox."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.audit.test_runs import MISSING, write_export
from tests.conftest import SAMPLES
from tests.support.running import ROOT, STOP_SECONDS, eventually, free_port

pytestmark = pytest.mark.exhaustive

RULES = {path.parent.name for path in SAMPLES}


@dataclass(frozen=True)
class Installed:
    """A Python with the wheel, and an empty folder to run it in."""

    python: Path
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-W", "error", "-m", "cds_service", *arguments]

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """The output of a command; fails where it ends with another code."""
        result = subprocess.run(
            self.command(*arguments), cwd=self.folder, input=stdin, capture_output=True, text=True, check=False
        )
        assert (result.returncode, result.stderr) == (code, ""), result.stdout + result.stderr
        return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, built here and alone in an environment that has only the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    home = folder / "environment"
    venv.create(home, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(packages), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    # A path in a .pth file: the files of that kind which lie there, such as this checkout's, are not followed.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = folder / "empty"
    empty.mkdir()
    return Installed(home / "bin" / "python", empty)


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    program = "import cds_service, hooks, sample_bundles as s; print(cds_service.__file__, hooks.__file__, s.__file__)"
    command = [str(installed.python), "-c", program]
    result = subprocess.run(command, cwd=installed.folder, capture_output=True, text=True, check=False)
    assert result.stdout.count(str(installed.python.parents[1])) == 3, result.stderr


def test_the_commands(installed: Installed, tmp_path: Path) -> None:
    sample = installed.run("sample", "93350, Q9957x2", "--given", "Definity 1.3 mL")
    assert "add 93352" in installed.run("check", "-", stdin=sample, code=1)
    assert "Q9957" in installed.run("codes")
    assert "93352" in installed.run("codes", "93352")
    assert set(installed.run("rules").split()) >= RULES
    assert "\nExamples\n" in installed.run("rules", "add-on-modifier")
    assert "CDS_MODE" in installed.run("settings")
    assert "report.html" in installed.run(
        "audit", str(write_export(tmp_path / "export", MISSING)), "--out", str(tmp_path / "out")
    )
    assert installed.run("site", "suggest", str(tmp_path / "export"))
    assert list(installed.folder.iterdir()) == [], "nothing is written beside"


@contextmanager
def serving(installed: Installed, folder: Path) -> Iterator[str]:
    port = free_port()
    variables = {"CDS_MODE": "development", "CDS_DATABASE_URL": f"sqlite:///{folder / 'store.sqlite3'}"}
    process = subprocess.Popen(
        installed.command("serve", "--port", str(port)),
        cwd=installed.folder, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(address), 20)
        yield address
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/health/ready", timeout=1).ok
    except requests.ConnectionError:
        return False


def test_the_server_its_pages_and_its_sandbox(installed: Installed, tmp_path: Path) -> None:
    with serving(installed, tmp_path) as address:
        for rule in sorted(RULES):
            page = requests.get(f"{address}/rules/{rule}", headers={"Accept": "application/json"}, timeout=30).json()
            assert len(page["examples"]) == sum(path.parent.name == rule for path in SAMPLES), rule
        sandbox = requests.get(f"{address}/sandbox", timeout=30)
        assert sandbox.status_code == 200
        named = [f"{path.parent.name}/{path.stem}" for path in SAMPLES]
        assert all(name in sandbox.text for name in named), "the sandbox lists every sample"
        first = requests.get(f"{address}/sandbox/samples/{named[0]}", timeout=30)
        assert first.json()["request"]["hook"]
        assert requests.get(f"{address}/static/reference.css", timeout=30).status_code == 200
        translated = requests.get(f"{address}/codes/93352/patient?lang=vi", timeout=30)
        assert "Trang này không phải là hóa đơn." in translated.text, "the wheel holds the catalogs"
