"""Root file systems of other Debian suites, with engines and switches that this machine does not have.

A root is made once (./mkroot, some minutes) and kept in the machine's cache, where other clones find it, too.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.rig.host import HERE
from tests.rig.process import run

CACHE: Final = Path("/var/cache/ovsnet-rig/roots")
MAKING_TIMEOUT: Final = 1800.0


def root_of(suite: str) -> str:
    """The folder of a suite's root, with the project's environment up to date; made when it is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / suite
    with _alone(suite):
        run(str(HERE / "mkroot"), suite, str(root), env=dict(os.environ), timeout=MAKING_TIMEOUT)
        run(str(HERE / "rootvenv"), str(root), env=dict(os.environ), timeout=MAKING_TIMEOUT)
    return str(root)


@contextmanager
def _alone(suite: str) -> Iterator[None]:
    """Two sessions must not build into each other."""
    with (CACHE / f".{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
