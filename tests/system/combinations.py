"""The combinations of engine, switch and kernel that the product is tried on, and how to ask for one in a test.

@on(*EVERYWHERE)                          this test, on each of these combinations
def test_…(host: Host) -> None: ...       a host of that combination, with a ready agent; tidied up afterwards
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.rig.host import PROJECT, Host
from tests.rig.rig import Rig, Shape
from tests.rig.roots import root_of


@dataclass(frozen=True, slots=True)
class Combination:
    """Where engine and switch come from: a Debian suite ("" for this machine), with the machine's kernel or its own."""

    name: str
    suite: str = ""
    kernel: bool = False

    def host(self, rig: Rig) -> Host:
        """A host of it, which has only what the agent needs of this machine: the project's folder."""
        shape = Shape(root=root_of(self.suite) if self.suite else "/")
        return rig.kernel_host(shape) if self.kernel else rig.host(shape)


MACHINE: Final = Combination("machine")
TRIXIE: Final = Combination("trixie", "trixie")
SID: Final = Combination("sid", "sid")
SID_KERNEL: Final = Combination("kernel-sid", "sid", kernel=True)

USERSPACE: Final = (MACHINE, TRIXIE, SID)
EVERYWHERE: Final = (*USERSPACE, SID_KERNEL)
# Engine 28 and newer: addresses by family, gateway priority, announcements of its own.
SINCE_28: Final = (SID, SID_KERNEL)


def on(*combinations: Combination) -> Callable[[Any], Any]:
    """Run a test once on each of these."""
    return pytest.mark.parametrize("combination", combinations, indirect=True, ids=lambda it: it.name, scope="module")


def described(host: Host) -> str:
    """What a host runs, in one line."""
    known = host.versions
    python = host.run(str(PROJECT / ".venv/bin/python"), "-c", "import platform; print(platform.python_version())")
    return f"Docker {known.engine}, Open vSwitch {known.ovs}, kernel {known.kernel}, Python {python.stdout.strip()}"
