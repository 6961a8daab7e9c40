"""Sets malloc options so that large buffers are returned to the system after a call."""

import ctypes

_MMAP_THRESHOLD = -3  # of `mallopt` in glibc
_LARGE_BYTES = 2**20


def release_large_blocks() -> None:
    """Return freed blocks of 1 MB or more to the system at once, in this process and its forks.

    glibc keeps freed blocks per thread: 9 MB bodies on all threads left about 900 MB in each worker. Other C libraries
    do not do this and have no such option.
    """
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    except (AttributeError, OSError, TypeError):
        return
