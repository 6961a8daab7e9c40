"""The soak finds what grows, and a short one finds nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.running import ROOT
from tests.soak.growth import MEASURED, Growth, Sample, growth_of, sample

STEADY = [Sample(second, 100 + second % 3, 40 + second % 5, 24, 10 + second % 4) for second in range(60)]


def grown(samples: list[Sample]) -> set[str]:
    return {each.what for each in growth_of(samples) if each.is_growth}


def test_what_goes_up_and_down_does_not_grow() -> None:
    assert grown(STEADY) == set()


@pytest.mark.parametrize("what", MEASURED)
def test_what_leaks_a_little_with_every_second_grows(what: str) -> None:
    leaking = [
        Sample(**{**each.__dict__, what: getattr(each, what) + 0.3 * number}) for number, each in enumerate(STEADY)
    ]
    assert grown(leaking) == {what}


def test_too_few_samples_are_no_answer() -> None:
    with pytest.raises(ValueError, match="too few"):
        growth_of(STEADY[:5])


def test_a_real_process_that_leaks_files_and_memory_is_found() -> None:
    """A double for a fault: a program that opens a file and keeps a megabyte every twentieth of a second."""
    leak = "import time\nkept = []\nwhile True: kept.append((open('/dev/null'), bytearray(1 << 20))); time.sleep(.05)"
    with subprocess.Popen([sys.executable, "-c", leak]) as process:
        samples = []
        for _ in range(12):
            time.sleep(0.25)
            samples.append(sample(process.pid, time.monotonic()))
        process.kill()
    assert {"memory", "files"} <= grown(samples)
    assert isinstance(growth_of(samples)[0], Growth)


def test_a_service_under_load_does_not_leak_files_threads_or_connections(tmp_path: Path) -> None:
    """Half a minute cannot tell of memory, which `make soak` looks at for minutes."""
    command = [sys.executable, "-m", "tests.soak", "--seconds", "30", "--workers", "1"]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    assert "by status {200: " in result.stdout, result.stdout + result.stderr
    assert ", 5" not in result.stdout.partition("by status")[2].partition("}")[0], "no answer is a fault of ours"
    assert set(result.stdout.rpartition("growing: ")[2].strip().split(", ")) <= {"nothing", "memory"}, result.stdout
