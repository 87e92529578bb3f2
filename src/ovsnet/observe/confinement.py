"""The doctor's judgement of SELinux and AppArmor: which is on, and what it kept from us. Pure.

A denial is a record of the kernel's audit; it is in the kernel log, or in auditd's file where that runs:

    audit: type=1400 audit(1795718666.181:2): apparmor="DENIED" operation="open" profile="x" pid=7 comm="ovsnet" …
    type=AVC msg=audit(1795718666.181:2): avc:  denied  { read } for  pid=7 comm="ovsnet" … permissive=0
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ovsnet.observe.findings import Finding, ok, warning

OUR_NAME = "ovsnet"
_RECORD = re.compile(r"audit\((?P<time>\d+)\.(?P<serial>\d+:\d+)\):\s*(?P<text>.*)")
_DENIED = re.compile(r'apparmor="DENIED"|avc:\s+denied\b')
_PID = re.compile(r"\bpid=(\d+)")
SUBJECT = "confinement"
AS_ROOT = "run 'sudo ovsnet doctor'"
_LABEL_IT = (
    "give our files their labels: 'restorecon -RF /opt/ovsnet /usr/local/bin/ovsnet /var/lib/ovsnet /run/ovsnet'; if "
    "it is denied again, allow it in a local module ('ausearch -m avc -ts boot | audit2allow -M local-ovsnet') and "
    "report it with 'ovsnet report'. SELinux can stay on"
)
_ALLOW_IT = (
    "allow it in the profile that the record names (Debian: a line in /etc/apparmor.d/local, then 'apparmor_parser "
    "-r'), and report it with 'ovsnet report'. AppArmor can stay on"
)


@dataclass(frozen=True, slots=True)
class AppArmor:
    """How many profiles it enforces, of how many; None where that cannot be read."""

    enforced: int | None = None
    profiles: int | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """One record. `key` is the same wherever the record was found; `time` is in seconds since the epoch."""

    key: str
    time: int
    text: str


@dataclass(frozen=True, slots=True)
class ConfinementReading:
    """`selinux`: whether it is enforcing; None where it is off. `apparmor`: None where it is off.

    `denials` are those of ours since this boot; `why`: why they cannot be looked for, "" where they were.
    """

    apparmor: AppArmor | None = None
    selinux: bool | None = None
    denials: tuple[Denial, ...] = ()
    why: str = ""


def denials(lines: Iterable[str], *, pids: Collection[int], since: float) -> tuple[Denial, ...]:
    """Those about one of these processes, or that name us; oldest first, each once."""
    found = {it.key: it for line in lines if (it := _denial(line)) and it.time >= since and _is_ours(it, pids)}
    return tuple(sorted(found.values(), key=lambda it: it.time))


def _denial(line: str) -> Denial | None:
    record = _RECORD.search(line)
    if record is None or not _DENIED.search(record["text"]):
        return None
    return Denial(f"{record['time']}.{record['serial']}", int(record["time"]), record["text"])


def _is_ours(denial: Denial, pids: Collection[int]) -> bool:
    pid = _PID.search(denial.text)
    return OUR_NAME in denial.text or (pid is not None and int(pid[1]) in pids)


def confinement(it: ConfinementReading) -> Finding:
    """Neither has to be switched off for us: a denial of ours is told of with what to do instead."""
    on = _on(it)
    if not on:
        return ok(SUBJECT, "neither SELinux nor AppArmor is on")
    if it.denials:
        return _denied(on, it.denials)
    if it.why:
        return warning(SUBJECT, f"{on}; whether it kept anything from us is not known: {it.why}", AS_ROOT)
    return ok(SUBJECT, f"{on}; nothing of ours was denied since this host booted")


def _denied(on: str, denied: Sequence[Denial]) -> Finding:
    amount = "1 denial" if len(denied) == 1 else f"{len(denied)} denials"
    says = f"{on}; {amount} about ovsnet since this host booted, the last: {denied[-1].text}"
    return warning(SUBJECT, says, _LABEL_IT if denied[-1].text.startswith("avc:") else _ALLOW_IT)


def _on(it: ConfinementReading) -> str:
    """What is on, and whether it is enforcing; "" for neither."""
    said = []
    if it.selinux is not None:
        said.append(
            "SELinux is on and enforcing" if it.selinux else "SELinux is on and permissive: it only writes down"
        )
    if it.apparmor is not None:
        said.append(f"AppArmor is on{_profiles(it.apparmor)}")
    return "; ".join(said)


def _profiles(it: AppArmor) -> str:
    return "" if it.enforced is None else f" and enforces {it.enforced} of {it.profiles} profiles"
