"""Reads what the doctor wants to know of SELinux and AppArmor. Judges nothing, changes nothing."""

import os
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from ovsnet.observe.confinement import OUR_NAME, AppArmor, ConfinementReading, denials
from ovsnet.observe.programs import run

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
PROFILES = Path("/sys/kernel/security/apparmor/profiles")
SELINUX = Path("/sys/fs/selinux/enforce")
AUDIT_LOG = Path("/var/log/audit/audit.log")
"""Where auditd runs, the records are here and not in the kernel log."""
NEWEST = 4 << 20
"""Bytes at the end of that file that are looked at."""


def read_confinement() -> ConfinementReading:
    """Which of them is on, and what it denied us; no log is read where none is on."""
    apparmor, selinux = _apparmor(), _selinux()
    if apparmor is None and selinux is None:
        return ConfinementReading()
    kernel_log = run(("dmesg",))
    lines = (*kernel_log.text.splitlines(), *_audited())
    found = denials(lines, pids=_our_processes(), since=_booted())
    return ConfinementReading(apparmor, selinux, found, kernel_log.why)


def _apparmor() -> AppArmor | None:
    if _text(APPARMOR).strip() != "Y":
        return None
    try:
        profiles = PROFILES.read_text().splitlines()
    except OSError:  # of root only
        return AppArmor()
    return AppArmor(sum(it.endswith("(enforce)") for it in profiles), len(profiles))


def _selinux() -> bool | None:
    said = _text(SELINUX)
    return said.strip() == "1" if said else None


def _audited() -> Sequence[str]:
    """The newest lines of auditd's file; none where it does not run."""
    try:
        with AUDIT_LOG.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - NEWEST))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return ()


def _our_processes() -> Collection[int]:
    """The agent and what it has started, by what their command lines name."""
    running = (int(it.name) for it in Path("/proc").iterdir() if it.name.isdigit())
    return frozenset(pid for pid in running if OUR_NAME in _text(Path("/proc", str(pid), "cmdline")))


def _booted() -> float:
    """Seconds since the epoch. A boot's first records may seem to be a moment older."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - 1


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
