"""The life of a worker process: it can be stopped at any time, and ends when its parent ends, however that ends.

The parent's id is compared instead of asking the kernel for a signal (`PR_SET_PDEATHSIG`), which only Linux has.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import parent_process

# Time for calls in progress to finish on shutdown, in seconds.
STOP_SECONDS = 30

# Maximum delay before a worker notices a stop signal or the end of its parent, in seconds.
_WAKE_SECONDS = 0.5

_begun_in: int | None = None  # the process in which `begin` has been called; a fork inherits its parent's value


def begin(parent: int | None = None) -> None:
    """Let this worker be stopped, and watch the process that started it; further calls do nothing.

    A forked worker inherits the main process's handlers, which only set flags. Workers ignore terminal interrupts,
    which the main process handles.
    """
    global _begun_in  # noqa: PLW0603  # of the process, as signal handlers are
    if _begun_in == os.getpid():
        return
    _begun_in = os.getpid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    starter = parent_process()
    followed = parent or (starter.pid if starter else None) or os.getppid()
    threading.Thread(target=_follow, args=(followed,), daemon=True).start()


def _follow(parent: int) -> None:
    """Stop this worker as a signal would when its parent has gone; end it if it does not stop in time."""
    _wake_main_thread(lambda: os.getppid() == parent)
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    _wake_main_thread(lambda: time.monotonic() < deadline)
    os._exit(1)


def _wake_main_thread(while_true: Callable[[], bool]) -> None:
    """Wake the main thread regularly, since only it runs signal handlers.

    About one in twenty stop signals arrives in another thread and would wait until the main thread wakes up.
    """
    main = threading.main_thread().ident
    while main and while_true():
        time.sleep(_WAKE_SECONDS)
        signal.pthread_kill(main, signal.SIGUSR2)
