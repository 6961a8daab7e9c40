"""A server that accepts connections and then says nothing, or says it a byte at a time."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread


class Dribbling:
    """A listening server: its port, and the number of connections so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0


@contextmanager
def dribbling(content: bytes = b"", pause: float = 0.1) -> Iterator[Dribbling]:
    """Serve each connection the content, a byte in each pause, and never end it; without content, say nothing."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    state, stop, threads = Dribbling(listener.getsockname()[1]), Event(), list[Thread]()

    def serve(connected: socket.socket) -> None:
        with connected, suppress(OSError):
            for byte in content:
                if stop.wait(pause):
                    return
                connected.sendall(bytes([byte]))
            stop.wait()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connected, _ = listener.accept()
                state.connections += 1
                threads.append(Thread(target=serve, args=(connected,), daemon=True))
                threads[-1].start()

    accepting = Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield state
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join()
