"""The address that the server listens on: a port in use, names and IPv6."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cds_service.errors import SettingsError
from cds_service.server.address import listening_address
from tests.support.forked import run_text
from tests.support.running import eventually, running

pytestmark = pytest.mark.repeats(3)


def serve(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_text("serve", *arguments)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def assert_one_line_about(result: "subprocess.CompletedProcess[str]", port: int) -> None:
    assert result.returncode == 1
    assert result.stderr == (
        f"Error: cannot listen on 127.0.0.1:{port}: another program uses the port; stop it, or choose another with "
        "--port\n"
    )


def test_the_port_of_another_program_is_refused_in_one_line(taken: int) -> None:
    assert_one_line_about(serve("--port", str(taken)), taken)


def test_the_port_of_another_of_our_services_is_refused_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        port = int(service.address.rpartition(":")[2])
        assert_one_line_about(serve("--port", str(port)), port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected an address of this machine or `localhost`, not no-such-host"):
        listening_address("no-such-host.invalid", 8000)
    with pytest.raises(SettingsError, match="this machine does not have the address"):
        listening_address("192.0.2.1", 8000)


@pytest.mark.parametrize(("host", "written"), [("localhost", "localhost"), ("::1", "[::1]")])
def test_names_and_ipv6_are_served_and_printed_as_urls(tmp_path: Path, host: str, written: str) -> None:
    with socket.create_server(("::1" if ":" in host else "127.0.0.1", 0), family=_family(host)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "cds_service", "serve", "--host", host, "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    try:
        eventually(lambda: _answers(f"http://{written}:{port}/health/live"), seconds=20)
        assert f"Serving on http://{written}:{port}/cds-services" in log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
