"""The processes that read and review. Each makes the auditor once; none outlives the process that started it."""

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

_THREADS = Path("/proc/self/task")

DoneT = TypeVar("DoneT")


class Workers:
    """So many processes (`jobs`), each with an auditor that `make` has made.

    Started before DuckDB and Arrow are loaded, they are forked and share what this process has loaded: that saves each
    a second of start and much of its memory. Later they start afresh, since a fork would copy threads in the midst of
    their work.
    """

    def __init__(self, make: MakeAuditor, jobs: int) -> None:
        self.make = make
        self.jobs = jobs
        self._pool = ProcessPoolExecutor(jobs, _context(), initializer=_start, initargs=(make,))
        self._pool.submit(os.getpid)  # starts the processes now, while they can be forked

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, work: Callable[..., DoneT], items: Iterable[tuple[Any, ...]]) -> Iterator[DoneT]:
        """Run work for all items, with few of them waiting at a time; what it returns, as it comes."""
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
    """Forked processes where this one is known to have no other thread, not even one of a library."""
    is_alone = _THREADS.is_dir() and len(list(_THREADS.iterdir())) == 1
    return multiprocessing.get_context("fork" if is_alone else "spawn")


# --- in the processes -----------------------------------------------------------------------------------------------

_AUDITOR: list[Auditor] = []


def auditor() -> Auditor:
    """The auditor of this process."""
    return _AUDITOR[0]


def _start(make: MakeAuditor) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()  # what is shared stays shared: the collector would write to all of it
    _AUDITOR[:] = [make()]


def _end_with_parent() -> None:
    """A process that is killed takes its workers along: they must not write on while the audit is resumed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
