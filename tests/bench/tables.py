"""Measures the CMS tables at full size: `python -m tests.bench.tables [--share 1.0] [--folder FOLDER]`.

Makes the PTP edits of a quarter in their true layout and number (practitioner and hospital, four parts each, zipped),
loads them with `cds-service tables add`, and looks up claims. Memory is the peak of the command, and for a worker what
it holds alone (private) and in all (resident, which counts the system's cache that workers share).
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles

from cds_service.cms.lookup import TableFile, Tables
from tests.support.cms_files import PTP_HEADER
from tests.support.running import ROOT

ROWS = {"pra": 2_637_645, "oph": 1_868_882}  # of 2026Q4; 4,506,527 together
PARTS = 4
COLUMN_1_CODES = 11_000
ENDED_SHARE = 0.25
RATIONALES = [f"Invented rationale number {number}" for number in range(22)]
CLAIM_LINES = 50
CLAIMS = 300
DAY = date(2026, 11, 2)
SEED = 1


def codes() -> list[str]:
    """A universe of invented codes in the forms of the true ones, sorted."""
    numeric = [f"{number:05d}" for number in range(100, 99_900, 8)]
    lettered = [f"{number:04d}{letter}" for letter in "TUM" for number in range(1, 900)]
    level_2 = [f"{letter}{number:04d}" for letter in "ACEGJKLPQSV" for number in range(1, 4_000, 12)]
    return sorted(numeric + lettered + level_2)


def column_2_counts(rows: int, random_: random.Random) -> list[int]:
    """The number of edits of each column 1 code: few for most, thousands for some; `rows` in all."""
    weights = [random_.lognormvariate(0, 1.3) for _ in range(COLUMN_1_CODES)]
    scale = rows / sum(weights)
    counts = [max(1, min(4_000, round(weight * scale))) for weight in weights]
    while (missing := rows - sum(counts)) != 0:
        for index in random_.sample(range(COLUMN_1_CODES), min(COLUMN_1_CODES, abs(missing))):
            counts[index] = max(1, counts[index] + (1 if missing > 0 else -1))
    return counts


def lines(column_1: str, count: int, universe: list[str], random_: random.Random) -> Iterator[str]:
    """The edits of one code; every hundredth pair has an ended period before its present one."""
    for column_2 in sorted(random_.sample(universe, count)):
        year = random_.randrange(1996, 2026)
        first, last = f"{year}0101", "*"
        if random_.random() < ENDED_SHARE:
            last = random_.choice((first, f"{year}1231"))
        indicator = "9" if last == first else random_.choice("1111101")
        yield f"{column_1}\t{column_2}\t\t{first}\t{last}\t{indicator}\t{random_.choice(RATIONALES)}\r\n"


def make(folder: Path, share: float) -> list[Path]:
    """The zips of a quarter."""
    universe = codes()
    made = []
    for setting, rows in ROWS.items():
        random_ = random.Random(SEED)
        counts = column_2_counts(int(rows * share), random_)
        columns_1 = sorted(random_.sample(universe, COLUMN_1_CODES))
        for part in range(PARTS):
            name = f"cci{setting}-v323r0-f{part + 1}"
            size = len(columns_1) // PARTS
            chosen = list(zip(columns_1, counts, strict=True))[part * size : (part + 1) * size if part < 3 else None]
            path = folder / f"medicare-ncci-2026-q4-{name}.zip"
            with (
                zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
                archive.open(f"{name}.txt", "w") as text,
            ):
                text.write(("\r\n".join(PTP_HEADER) + "\r\n").encode("cp1252"))
                for column_1, count in chosen:
                    text.write("".join(lines(column_1, count, universe, random_)).encode())
            made.append(path)
    return made


def load(files: list[Path], folder: Path) -> None:
    """Load the files by the command, and print time and peak memory."""
    start = time.perf_counter()
    arguments = [sys.executable, "-m", "cds_service", "tables", "add", "--dir", str(folder), *map(str, files)]
    subprocess.run(arguments, check=True, cwd=ROOT)
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"import: {wall:.1f} s, peak {peak:.0f} MB, {size:.0f} MB on disk")


def memory() -> tuple[float, float]:
    """Private and resident memory of this process in MB."""
    found = dict.fromkeys(("Private_Dirty", "Private_Clean", "Rss"), 0.0)
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) / 1024
    return found["Private_Dirty"] + found["Private_Clean"], found["Rss"]


def sizes_of(folder: Path) -> dict[str, int]:
    """The number of edits of each column 1 code of a hospital."""
    files = [TableFile(path) for path in sorted(folder.glob("ptp-facility-*"))]
    return {key: len(rows) for file in files for key, rows in file.groups()}


def worker(folder: Path) -> None:
    """Look up claims as a worker does, and print times and memory."""
    with get_context("spawn").Pool(1) as pool:  # its memory is not the worker's
        sizes = pool.apply(sizes_of, (folder,))
    largest = sorted(sizes, key=sizes.__getitem__)[-CLAIM_LINES:]
    columns_1 = sorted(sizes)
    weights = [sizes[code] for code in columns_1]
    before = memory()
    tables = Tables(folder)
    start = time.perf_counter()
    tables.snapshot()
    print(f"open: {1e3 * (time.perf_counter() - start):.1f} ms")
    random_ = random.Random(SEED)
    claims = {
        "any 50 codes": [random_.sample(columns_1, CLAIM_LINES) for _ in range(CLAIMS)],
        "50 codes, drawn by their number of edits": [
            list({*random_.choices(columns_1, weights, k=CLAIM_LINES)}) for _ in range(CLAIMS)
        ],
        "the same 50 codes again": [random_.sample(columns_1, CLAIM_LINES)] * CLAIMS,
        "the 50 codes with the most edits, again": [largest] * CLAIMS,
    }
    for name, drawn in claims.items():
        took, found = [], 0
        cpu = time.thread_time()
        for claim in drawn:
            start = time.perf_counter()
            found += len(tables.snapshot().pairs(claim, DAY, "facility").edits)
            took.append(1e3 * (time.perf_counter() - start))
        cpu = 1e3 * (time.thread_time() - cpu) / CLAIMS
        centiles = quantiles(took, n=100)
        times = f"CPU {cpu:.2f} ms, p50 {centiles[49]:.2f} ms, p99 {centiles[98]:.2f} ms"
        print(f"{name}: {times}, {found / CLAIMS:.1f} edits in a claim")
    after = memory()
    print(f"memory of a worker: {after[0] - before[0]:+.1f} MB private, {after[1] - before[1]:+.1f} MB resident")


def main() -> None:
    """Make, load, look up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="share of the true number of rows")
    parser.add_argument("--folder", type=Path, help="folder for the files; default: a temporary one")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        worker(chosen.worker)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        (folder / "files").mkdir(parents=True, exist_ok=True)
        files = sorted((folder / "files").glob("*.zip")) or make(folder / "files", chosen.share)
        load(files, folder / "tables")
        subprocess.run(
            [sys.executable, "-m", "tests.bench.tables", "--worker", str(folder / "tables")], check=True, cwd=ROOT
        )


if __name__ == "__main__":
    main()
