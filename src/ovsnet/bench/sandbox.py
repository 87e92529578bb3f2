"""Namespaces of its own for a measurement: nothing it makes is on the machine, and nothing is left of it.

    parent: waits, hands signals on
       ├─ caretaker: waits until the child has ended, then removes the folder; outlives a parent that is killed
       └─ child: process 1 of namespaces of its own, which does the work

The kernel ends everything in the namespaces when the child ends, however it ends; the child ends with the parent.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from ovsnet.linux.namespace import CLONE_NEWNET
from ovsnet.model.errors import Unavailable

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x04000000, 0x08000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
HANDED_ON = (signal.SIGINT, signal.SIGTERM)
PREFIX = "ovb"
"""Short: socket paths in the folder have at most 107 bytes."""
CGROUPS = Path("/sys/fs/cgroup")

_libc = ctypes.CDLL(None, use_errno=True)


def enclosed(work: Callable[[Path], None]) -> NoReturn:
    """Do the work in namespaces of its own, with a folder on the machine's disk that is removed afterwards.

    Ends this process with the work's exit code; 130 after Ctrl-C. For root and a process with one thread;
    Unavailable when the kernel does not let us. The work finds an empty /run, which is its own, and a loopback that
    is up as its only interface.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    caretaker, line = _hire_caretaker(folder)
    try:
        code = _run(work, folder, line)
    finally:
        os.close(line)
        os.waitpid(caretaker, 0)
    sys.exit(code)


def cgroup_parent(inside: Path) -> str:
    """Where an engine puts its containers that has its data in the sandbox's folder: removed with the sandbox."""
    return next(f"/{it.name}" for it in (inside, *inside.parents) if it.name.startswith(PREFIX))


def _hire_caretaker(folder: Path) -> tuple[int, int]:
    """Its process id, and a pipe to tell it the child's.

    Before the namespaces: what this process starts later is in them, and ends with them.
    """
    hears, line = os.pipe()
    caretaker = os.fork()
    if not caretaker:
        os.close(line)
        _take_care(folder, hears)
    os.close(hears)
    return caretaker, line


def _take_care(folder: Path, hears: int) -> NoReturn:
    try:
        # Neither Ctrl-C nor a closed terminal ends it.
        os.setsid()
        for number in (*HANDED_ON, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # Nothing comes when everybody who could tell has ended.
        if child := os.read(hears, 32):
            with suppress(ProcessLookupError):
                # Readable when all that was in the child's namespaces has ended, too (pid_namespaces(7)).
                select.select([os.pidfd_open(int(child))], [], [])
        shutil.rmtree(folder, ignore_errors=True)
        _remove_cgroups(folder.name)
    except BaseException as error:  # noqa: BLE001 - the process ends here, and somebody must be told
        click.echo(f"ovsnet: of the bench something may be left in {folder}: {error}", err=True)
    finally:
        os._exit(0)


def _run(work: Callable[[Path], None], folder: Path, line: int) -> int:
    parent = os.getpid()
    _check(_libc.unshare(CLONE_NEWPID) == 0)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _become_first(parent, work, folder)
    os.write(line, str(child).encode())
    for number in HANDED_ON:
        signal.signal(number, lambda number, _: _hand_on(child, number))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _hand_on(child: int, number: int) -> None:
    # A second Ctrl-C, when the child has ended.
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _become_first(parent: int, work: Callable[[Path], None], folder: Path) -> NoReturn:
    code = 1
    try:
        # A group of its own: what the terminal sends comes once, by the parent.
        os.setpgid(0, 0)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() not in (parent, 0):
            os._exit(1)
        # Whoever started us in the background may have had it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _separate()
        work(folder)
        code = 0
    except KeyboardInterrupt:
        code = 130
        click.echo("interrupted; nothing is left behind", err=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the process ends here, and somebody must be told
        click.echo(f"ovsnet: {error}", err=True)
        code = 2
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _separate() -> None:
    """Own network, mounts, names and shared memory; /proc, /sys and /run show what is in them."""
    _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) == 0)
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0)
    _check(_libc.mount(b"tmpfs", b"/run", b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=755") == 0)
    Path("/run/cgroup").mkdir()
    _check(_libc.mount(bytes(CGROUPS), b"/run/cgroup", None, MS_BIND | MS_REC, None) == 0)
    _check(_libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None) == 0)
    _check(_libc.mount(b"sysfs", b"/sys", b"sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, None) == 0)
    _check(_libc.mount(b"/run/cgroup", bytes(CGROUPS), None, MS_BIND | MS_REC, None) == 0)
    _check(_libc.umount2(b"/run/cgroup", MNT_DETACH) == 0)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _check(succeeded: bool) -> None:  # noqa: FBT001 - says what the kernel said
    if not succeeded:
        reason = f"it gets no namespaces of its own ({os.strerror(ctypes.get_errno())}); run it as root"
        raise Unavailable("the bench", reason)


def _remove_cgroups(name: str) -> None:
    """Of engines that ended without a chance to do it; empty by now, innermost first."""
    for hierarchy in (CGROUPS, *(it for it in CGROUPS.glob("*") if it.is_dir())):
        for path, _, _ in os.walk(hierarchy / name, topdown=False):
            Path(path).rmdir()
