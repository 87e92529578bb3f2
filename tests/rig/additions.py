"""Packages that hosts of the rig get beside what this machine has: these would change how the machine itself works.

They are fetched when a test first needs them (./mkaddition, up to two minutes), and kept in the machine's cache.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from tests.rig.host import HERE, Host
from tests.rig.process import run

CACHE: Final = Path("/var/cache/ovsnet-rig/additions")
MAKING_TIMEOUT: Final = 900.0


def add(host: Host, *packages: str) -> None:
    """What these packages consist of is there from now on; nothing of it is started."""
    host.run("tar", "x", "-C", "/", "--keep-directory-symlink", stdin=_made(packages).read_bytes())


def _made(packages: tuple[str, ...]) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / f"{'+'.join(packages)}.tar"
    # Two sessions must not build into each other.
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(str(HERE / "mkaddition"), str(made), *packages, env=dict(os.environ), timeout=MAKING_TIMEOUT)
    return made
