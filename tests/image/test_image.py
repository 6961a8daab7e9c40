"""The image in production mode: a read-only root, no capabilities, user 10001; it answers every sample."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.auth import trial_keys
from cds_service.auth.registration_file import add
from cds_service.auth.registrations import Client
from cds_service.review.advisor import Advisor
from cds_service.wiring import service_directory
from tests.conftest import SAMPLES
from tests.image import building
from tests.image.building import IMAGE, run
from tests.support.running import eventually, free_port

BASE, ISSUER = "https://cds.example.org", "https://ehr.example.org"
KEY = trial_keys.new_key()
NAMESPACE = "org.example"
RIGHTS = (
    "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--user", "10001", "--tmpfs", "/tmp",
    # Not more than what root may set inside another container.
    "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=1024:1024",
)  # fmt: skip


@dataclass(frozen=True)
class Container:
    """A running container, and the address of its service."""

    name: str
    address: str

    def send(self, method: str, path: str, body: bytes | None = None, accept: str = "application/json") -> Any:
        """The response to a call with a token of its own."""
        token = trial_keys.token(KEY, ISSUER, f"{BASE}{path}", None, 60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": accept}
        response = requests.request(method, f"{self.address}{path}", data=body, headers=headers, timeout=30)
        assert response.status_code == 200, response.text + self.log()
        return response

    def log(self) -> str:
        """The log of the service, with what it says of the containers' start."""
        command = ["podman", "logs", self.name]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout

    def told(self, script: str) -> str:
        """The output of a shell in the container."""
        return run("podman", "exec", self.name, "sh", "-c", script).strip()


@pytest.fixture(scope="module", autouse=True)
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    building.build(tmp_path_factory.mktemp("image"))
    yield
    building.remove()


@contextmanager
def started(folder: Path) -> Iterator[Container]:
    """A container in production mode, with one registered client."""
    folder.chmod(0o755)
    (folder / "keys.json").write_text(json.dumps({"keys": [trial_keys.public_jwk(KEY)]}))
    add(folder / "clients.yaml", Client(id="ehr", issuer=ISSUER, jwks_file="keys.json"))
    (folder / "clients.yaml").chmod(0o644)
    name, port = f"contrast-echo-cds-test-{folder.name}", free_port()
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "CDS_PUBLIC_BASE_URL": BASE,
        "CDS_CLIENTS_FILE": "/clients/clients.yaml",
    }
    variables = [part for each in settings.items() for part in ("--env", "=".join(each))]
    volumes = ["--volume", f"{folder}:/clients:ro", "--volume", f"{name}:/data:U"]
    run("podman", "--runtime", "runc", "run", "--detach", "--name", name, "--network", "host", *RIGHTS, *variables,
        *volumes, IMAGE)  # fmt: skip
    try:
        container = Container(name, f"http://127.0.0.1:{port}")
        _wait_for(container)
        yield container
    finally:
        run("podman", "rm", "--force", name)
        run("podman", "volume", "rm", name)


def _wait_for(container: Container) -> None:
    """Wait until the service answers; fails with its log if it does not."""
    try:
        eventually(lambda: _is_ready(container), 30)
    except AssertionError:
        raise AssertionError(container.log()) from None


def _is_ready(container: Container) -> bool:
    try:
        return requests.get(f"{container.address}/health/ready", timeout=1).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with started(tmp_path_factory.mktemp("answering")) as running:
        yield running


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_sample_is_answered_as_in_the_checkout(container: Container, advisor: Advisor, path: Path) -> None:
    service, body = service_directory(NAMESPACE).localized(path.read_bytes())
    answer = container.send("POST", f"/cds-services/{service.id}", body).json()
    expected = advisor.answer(service, body).response.cards
    assert Counter((card["indicator"], card["summary"]) for card in answer["cards"]) == Counter(
        (card.indicator, card.summary) for card in expected
    )
    codes = {card["source"]["topic"]["code"] for card in answer["cards"]}
    assert (path.parent.name in codes) == path.stem.startswith("flags-")


def test_it_has_no_rights(container: Container) -> None:
    assert container.told("id -u") == "10001"
    status = container.told("cat /proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    refusal = container.told("touch /opt/venv/x 2>&1 || true")
    assert "Read-only file system" in refusal
    assert "contrast-echo-cds.sqlite3" in container.told("ls /data").split()


def test_its_rule_pages_have_examples(container: Container) -> None:
    examples = container.send("GET", "/rules/add-on-modifier").json()["examples"]
    assert {each["expected"] for each in examples} == {"flags", "passes"}


def test_nothing_of_the_build_is_in_it(container: Container) -> None:
    assert container.told("ls -A /build /run/ca.pem /run/secrets /etc/pip.conf 2>/dev/null || true") == ""


def seconds_to_stop(folder: Path) -> float:
    """The time from the signal until the process has ended; what podman clears away afterwards takes its own time."""
    folder.mkdir()
    with started(folder) as container:
        pid = int(run("podman", "inspect", "--format", "{{.State.Pid}}", container.name))
        begin = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not Path("/proc", str(pid)).exists())
        seconds = time.monotonic() - begin
        assert run("podman", "wait", container.name).strip() == "0"
    return seconds


def test_the_service_stops_in_under_a_second(tmp_path: Path) -> None:
    """One of three stops, so that the test speaks of the service and not of what else this machine does."""
    measured = list[float]()
    while not measured or (measured[-1] >= 1 and len(measured) < 3):
        measured.append(seconds_to_stop(tmp_path / f"stop-{len(measured)}"))
    assert measured[-1] < 1, measured
