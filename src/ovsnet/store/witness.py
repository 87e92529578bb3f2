"""Whether a living process knows all that a store's file held, and gives it back to a server that comes without.

The process locks a file for as long as it lives; who starts the server looks whether it is locked. Without a witness
a damaged file is left for people.
"""

import fcntl
import os
from pathlib import Path

import structlog

NONE = -1
log = structlog.get_logger("store")


class Witness:
    """Of the process that knows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = NONE

    def stand(self) -> None:
        """From now on until this process ends; another witness may stand beside it. Who looks holds the lock for a
        moment only.
        """
        if self._lock != NONE:
            return
        try:
            self._lock = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        except OSError as error:
            log.warning("a damaged store will be left to people", file=str(self._file), reason=str(error))


def somebody_knows(file: Path) -> bool:
    """Whether a witness stands."""
    try:
        lock = file.open("a")
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
