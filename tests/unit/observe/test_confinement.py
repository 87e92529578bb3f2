"""What the doctor says of SELinux and AppArmor, and which records of the kernel's audit it takes for ours."""

import pytest

from ovsnet.observe.confinement import AppArmor, ConfinementReading, Denial, confinement, denials
from ovsnet.observe.findings import Level

BOOTED = 1795718000.0
OURS = frozenset({1240})
PROFILE_LOADED = (
    '[  710.6] audit: type=1400 audit(1795718666.181:2): apparmor="STATUS" operation="profile_load" '
    'profile="unconfined" name="ovsnet" pid=1240 comm="apparmor_parser"'
)
FROM_OUR_SOCKET = (
    '[  800.0] audit: type=1400 audit(1795718700.000:7): apparmor="DENIED" operation="connect" profile="dockerd" '
    'name="/run/docker/plugins/ovsnet.sock" pid=996 comm="dockerd" requested_mask="wr" denied_mask="wr"'
)
OF_OUR_PROCESS = (
    'type=AVC msg=audit(1795718710.500:9): avc:  denied  { read } for  pid=1240 comm="python" path="net:[40]" '
    "scontext=system_u:system_r:initrc_t:s0 tcontext=system_u:object_r:nsfs_t:s0 tclass=file permissive=0"
)
OF_OTHERS = OF_OUR_PROCESS.replace("1240", "77")
BEFORE_THE_BOOT = OF_OUR_PROCESS.replace("1795718710", "1795717999")
NOT_DENIED = OF_OUR_PROCESS.replace("denied", "granted")


def found(*lines: str) -> list[str]:
    return [it.key for it in denials(lines, pids=OURS, since=BOOTED)]


@pytest.mark.parametrize("line", [PROFILE_LOADED, OF_OTHERS, BEFORE_THE_BOOT, NOT_DENIED, "[ 1.0] eth0: link up"])
def test_what_is_no_denial_of_ours(line: str) -> None:
    assert found(line) == []


def test_denials_are_ours_by_name_or_by_process_oldest_first_each_once() -> None:
    in_both_logs = OF_OUR_PROCESS.replace("type=AVC msg=", "[  810.5] audit: type=1400 ")
    assert found(OF_OUR_PROCESS, FROM_OUR_SOCKET, in_both_logs) == ["1795718700.000:7", "1795718710.500:9"]


def test_a_denial_keeps_what_the_record_says() -> None:
    (denial,) = denials([FROM_OUR_SOCKET], pids=(), since=BOOTED)
    assert denial.text.startswith('apparmor="DENIED" operation="connect" profile="dockerd"')


def on(*denied: Denial, selinux: bool | None = None, apparmor: AppArmor | None = None, why: str = "") -> str:
    finding = confinement(ConfinementReading(apparmor, selinux, denied, why))
    return f"{finding.level} {finding.says}"


def test_it_is_said_what_is_on_and_whether_it_is_enforcing() -> None:
    nothing = "nothing of ours was denied since this host booted"
    assert on() == "ok neither SELinux nor AppArmor is on"
    assert on(selinux=True) == f"ok SELinux is on and enforcing; {nothing}"
    assert on(selinux=False) == f"ok SELinux is on and permissive: it only writes down; {nothing}"
    assert on(apparmor=AppArmor(1, 2)) == f"ok AppArmor is on and enforces 1 of 2 profiles; {nothing}"
    unread = on(apparmor=AppArmor(), why="dmesg: Operation not permitted")
    assert (
        unread
        == "warning AppArmor is on; whether it kept anything from us is not known: dmesg: Operation not permitted"
    )


@pytest.mark.parametrize(
    ("line", "remedy"), [(FROM_OUR_SOCKET, "/etc/apparmor.d/local"), (OF_OUR_PROCESS, "restorecon")]
)
def test_a_denial_is_shown_with_what_to_do_and_nobody_is_asked_to_switch_it_off(line: str, remedy: str) -> None:
    told = denials([line], pids=OURS, since=BOOTED)
    finding = confinement(ConfinementReading(AppArmor(1, 1), None, told))
    assert finding.level is Level.WARNING
    assert "1 denial about ovsnet" in finding.says
    assert told[0].text in finding.says
    assert remedy in finding.remedy
    assert "can stay on" in finding.remedy
