"""Memory of a worker: freed arrays stay in the process."""

from __future__ import annotations

import ctypes
from functools import cache

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # parameters of mallopt(3), from <malloc.h> of glibc
LARGEST = 32 << 20  # bytes; the most that glibc takes for the first of them
KEPT = 1 << 30  # bytes of free memory that are not given back


@cache
def keep_freed_memory() -> None:
    """Ask the C library to keep what arrays leave behind; does nothing where that library is not glibc.

    Arrays of a few hundred kB come and go thousands of times a second. By default each is asked of the system and given
    back, page by page; Dask's workers lower the limit further. A block of draws then takes three times as long there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(ctypes.c_int(MMAP_THRESHOLD), ctypes.c_int(LARGEST))
    mallopt(ctypes.c_int(TRIM_THRESHOLD), ctypes.c_int(KEPT))
