"""The main process of the server: it replaces each worker that ends by itself, and ends if none has ever started."""

import time
from pathlib import Path
from typing import Any

from granian.server import MPServer

# Minimum time between two starts of a worker, in seconds, so that one that cannot start does not use up a core.
RESTART_SECONDS = 1.0

# Time between two looks at the workers, in seconds; an end is usually reported at once.
_LOOK_SECONDS = 1.0


class Supervisor(MPServer):
    """Granian with its workers replaced always.

    Its own loop ends the service at a second end of a worker within 5.5 seconds, and forgets one of two that end at the
    same moment. `started` is a file that a worker makes once it has started.
    """

    def __init__(self, started: Path, **options: Any) -> None:
        super().__init__(**options)
        self._started = started

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Look after the workers until a stop signal. The exit code is 1 if a worker ended and none had started."""
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(_LOOK_SECONDS)
            self.main_loop_interrupt.clear()
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            self.interrupt_children.clear()
            ended = [number for number, worker in enumerate(self.wrks) if not worker.inner.is_alive()]
            if ended and not self._started.exists():
                self.interrupt_children.extend(ended)
                return
            for number in ended:
                time.sleep(max(0.0, self.wrks[number].birth + RESTART_SECONDS - time.monotonic()))
                self._respawn_workers([number], spawn_target, target_loader)
