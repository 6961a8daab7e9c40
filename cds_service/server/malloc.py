"""How memory goes back to the system once a call is over."""

import ctypes

_MMAP_THRESHOLD = -3  # of `mallopt` in glibc
_LARGE_BYTES = 2**20


def give_back_large_blocks() -> None:
    """Have blocks of a megabyte and more returned as soon as they are free, here and in copies of this process.

    glibc learns to keep what was freed for the next time, by thread: bodies of nine megabytes on all threads left some
    900 MB with each worker. Other C libraries do not learn, and have no such switch.
    """
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    except (AttributeError, OSError, TypeError):
        return
