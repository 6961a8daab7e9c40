"""Worker processes that read and review. Each creates the auditor once and ends with its parent."""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypeVar

from cds_service.audit.reviewer import Auditor, MakeAuditor
from cds_service.core import garbage_collection

_THREADS = Path("/proc/self/task")

DoneT = TypeVar("DoneT")


class Workers:
    """A pool of `jobs` processes, each with an auditor created by `make`.

    Started before DuckDB and Arrow are loaded, they are forked and share the memory of this process, which saves each a
    second at start. Started later, they are forked from a process without other threads, which a fork would copy.
    """

    def __init__(self, make: MakeAuditor, jobs: int) -> None:
        self.make = make
        self.jobs = jobs
        self._pool = ProcessPoolExecutor(jobs, _context(), initializer=_start, initargs=(make,))
        self._pool.submit(os.getpid)  # start the processes now, while forking is safe

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, work: Callable[..., DoneT], items: Iterable[tuple[Any, ...]]) -> Iterator[DoneT]:
        """Run work for all items, with a short queue; results in the order of completion."""
        waiting: set[Future[DoneT]] = set()
        left = iter(items)
        while True:
            waiting |= {self._pool.submit(work, *item) for item in islice(left, 2 * self.jobs - len(waiting))}
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()


def _context() -> BaseContext:
    """Fork if this process has no other thread, not even of a library; else fork one that has none."""
    is_alone = _THREADS.is_dir() and len(list(_THREADS.iterdir())) == 1
    return multiprocessing.get_context("fork" if is_alone else "forkserver")


# --- in the processes -----------------------------------------------------------------------------------------------

_AUDITOR: list[Auditor] = []


def auditor() -> Auditor:
    """The auditor of this process."""
    return _AUDITOR[0]


def _start(make: MakeAuditor) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()  # keep shared memory shared: the collector would write to it
    _AUDITOR[:] = [make()]
    garbage_collection.tune()


def _end_with_parent() -> None:
    """End this worker when its parent ends, even if killed: it must not write while the audit is resumed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
