"""Runs Open vSwitch's own command line programs."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsnet import processes
from ovsnet.model.errors import Unavailable

NEIGHBOUR = "Open vSwitch"
REMEDY = "is it running? Start it: systemctl start openvswitch-switch"
OFCTL = ("ovs-ofctl", "--no-names", "-O", "OpenFlow14")
"""Names would cost two more connections and a download per call; 1.4 is the first version with bundles."""


def management_socket(bridge: str, ovs_run_dir: str | Path) -> str:
    """The OpenFlow target of a bridge on this host."""
    return f"unix:{Path(ovs_run_dir) / bridge}.mgmt"


def unavailable(reason: str) -> Unavailable:
    """The error for an Open vSwitch that does not answer, with what to do about it."""
    return Unavailable(NEIGHBOUR, reason, remedy=REMEDY)


def daemon_lives(ovs_run_dir: str | Path) -> bool:
    """Whether an ovs-vswitchd listens on its control socket: it may be slow then, but it is not gone."""
    return any(listens(f"unix:{path}") for path in Path(ovs_run_dir).glob("ovs-vswitchd.*.ctl"))


def daemon_pid(ovs_run_dir: str | Path) -> int:
    """The process id of ovs-vswitchd, as it says itself; 0 while there is none."""
    try:
        return int(Path(ovs_run_dir, "ovs-vswitchd.pid").read_text())
    except (OSError, ValueError):
        return 0


def life(target: str) -> object:
    """Another value when this socket was made anew, as ovs-vswitchd does when it starts; None where there is none."""
    try:
        it = Path(target.removeprefix("unix:")).stat()
    except OSError:
        return None
    return it.st_dev, it.st_ino, it.st_ctime_ns


def listens(target: str) -> bool:
    """Whether somebody listens on this socket, as Open vSwitch's programs write it: unix:PATH."""
    path = target.removeprefix("unix:")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)  # with a full queue it would wait for the daemon
        try:
            probe.connect(path)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left behind; `code` 0 is success."""

    code: int
    output: str
    complaint: str


async def run(command: Sequence[str], *, stdin: str = "", deadline: float) -> Outcome:
    """Run one program to its end; Unavailable when it is not installed or takes longer than `deadline`
    seconds.
    """
    return await finish(await start_waiting(command), command, stdin=stdin, deadline=deadline)


async def start_waiting(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start one program that is given its input later, by `finish`; Unavailable when it is not installed."""
    try:
        return await processes.start(command, stdin=asyncio.subprocess.PIPE)
    except FileNotFoundError:
        raise _missing(command) from None


async def finish(
    process: asyncio.subprocess.Process, command: Sequence[str], *, stdin: str, deadline: float
) -> Outcome:
    """Give a program that waits its input; Unavailable when it takes longer than `deadline` seconds from now."""
    try:
        done = await processes.finish(process, stdin=stdin, deadline=deadline)
    except TimeoutError:
        raise unavailable(f"no answer to {command[0]} within {deadline:g} s") from None
    return Outcome(done.code, done.output.decode(errors="replace"), done.complaint)


async def start(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start one program with its output and its complaints on one pipe; Unavailable when it is not installed."""
    try:
        return await processes.start(command, merge_complaints=True)
    except FileNotFoundError:
        raise _missing(command) from None


async def send_packets(bridge: str, packets: Sequence[str], ovs_run_dir: str | Path, *, deadline: float) -> None:
    """Hand packets to the switch, all with one program; each as ovs-ofctl(8) has it after "packet-out". Unavailable
    when that fails.
    """
    text = "".join(f"packet-out {it}\n" for it in packets)
    outcome = await run((*OFCTL, "bundle", management_socket(bridge, ovs_run_dir), "-"), stdin=text, deadline=deadline)
    if outcome.code:
        raise unavailable(outcome.complaint)


def _missing(command: Sequence[str]) -> Unavailable:
    return Unavailable(NEIGHBOUR, f"{command[0]} is not installed; install openvswitch-switch")
