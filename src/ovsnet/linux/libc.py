"""The C library's calls that Python 3.11 has no name for, such as setns(2), unshare(2) and mount(2)."""

import ctypes
import os
from functools import cache


@cache
def libc() -> ctypes.CDLL:
    """Opened once: each further one would be garbage in a cycle."""
    return ctypes.CDLL(None, use_errno=True)


def must(result: int) -> None:
    """Of a call that was made just now by this thread. OSError when it was refused."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
