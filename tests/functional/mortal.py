"""An agent that ends by SIGKILL right before or right after its n-th change of the host, as soon as it is told to.

    python -m tests.functional.mortal FUSE keeper OPTION…     the ordinary keeper, whose agent is this module's
    python -m tests.functional.mortal FUSE agent OPTION…      the ordinary agent, whose changes pass a `Boundary`

FUSE is the path of a file that says when: "5 the process dies after". It is taken, and gone, at the next change; what
the agent died of is in FUSE.struck then.
"""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.functional.boundary import Boundary, Fate, watched

from ovsnet.agent import __main__ as agent
from ovsnet.agent import keeper
from ovsnet.settings import Settings

MODULE = "tests.functional.mortal"
SOON = 0.01


class Mortal(Boundary):
    """The boundary of a real process."""

    def __init__(self, fuse: Path) -> None:
        super().__init__(self._kill)
        self._fuse = fuse

    def _next(self, what: str) -> Fate | None:
        if self._fuse.exists():
            number, _, fate = self._fuse.read_text().strip().partition(" ")
            self._fuse.unlink()
            self.arm(int(number), Fate(fate))
        return super()._next(what)

    def _kill(self) -> None:
        self._fuse.with_suffix(".struck").write_text(self.struck)
        os.kill(os.getpid(), signal.SIGKILL)


def main(fuse: Path, role: str, options: Sequence[str]) -> int:
    """One of the two processes."""
    if role == "agent":
        with watched(Mortal(fuse)):
            return agent.main(options)
    commands = keeper.commands

    def mortal(settings: Settings, arguments: Sequence[str], listener: socket.socket) -> dict[str, list[str]]:
        lines = commands(settings, arguments, listener)
        at = lines["agent"].index("ovsnet.agent")
        lines["agent"][at : at + 1] = [MODULE, str(fuse), "agent"]
        return lines

    keeper.commands = mortal
    keeper.LONGEST_PAUSE = SOON  # it dies again and again here, and nobody gets tired of starting it
    return agent.main(options)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
