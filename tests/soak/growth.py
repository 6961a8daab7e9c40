"""What a process holds, and whether it grows: a line through the samples after the time of warming up."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What a process held at a moment (in seconds): memory in MB, and numbers of files, threads and connections."""

    at: float
    memory: float
    files: float
    threads: float
    connections: float


MEASURED = tuple(field.name for field in fields(Sample))[1:]

# What may come in an hour of load without being growth, and what a sample may be above another: the allocator settles
# slowly, the collector lets some megabytes gather between its rounds, and connections come and go.
MOST_AN_HOUR = {"memory": 120.0, "files": 60.0, "threads": 30.0, "connections": 60.0}
UPS_AND_DOWNS = {"memory": 12.0, "files": 3.0, "threads": 3.0, "connections": 3.0}


def sample(process: int, at: float) -> Sample:
    """Look at a process of this machine. Raises FileNotFoundError where it has gone."""
    folder = Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    targets = [_target(each) for each in (folder / "fd").iterdir()]
    return Sample(
        at=at,
        memory=int(status["VmRSS"].split()[0]) / 1024,
        files=len(targets),
        threads=int(status["Threads"]),
        connections=sum(target.startswith("socket:") for target in targets),
    )


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""  # closed in the meantime


@dataclass(frozen=True)
class Growth:
    """How one measure of a process went: at first, at last, and by how much it grows in an hour."""

    what: str
    first: float
    last: float
    an_hour: float

    @property
    def is_growth(self) -> bool:
        """Whether it grows by more than may be, and has grown by more than a sample's own ups and downs."""
        return self.an_hour > MOST_AN_HOUR[self.what] and self.last - self.first > UPS_AND_DOWNS[self.what]


def growth_of(samples: Sequence[Sample]) -> list[Growth]:
    """Each measure over the samples. Raises ValueError where there are too few to tell."""
    if len(samples) < 6:
        raise ValueError("too few samples to tell whether anything grows")
    rows = [astuple(each) for each in samples]
    times = [row[0] for row in rows]
    return [
        Growth(what, _mean(values[:3]), _mean(values[-3:]), 3600 * _slope(times, values))
        for what, values in ((what, [row[1 + number] for row in rows]) for number, what in enumerate(MEASURED))
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Of the line with the least squares, in units of the value for each second."""
    time, value = _mean(times), _mean(values)
    spread = sum((each - time) ** 2 for each in times)
    return sum((at - time) * (each - value) for at, each in zip(times, values, strict=True)) / spread
