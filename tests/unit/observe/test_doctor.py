"""The doctor's judgement of what was read."""

from dataclasses import replace

import pytest

from ovsnet.observe.doctor import diagnose
from ovsnet.observe.findings import Finding, Level, worst
from ovsnet.observe.programs import Said
from ovsnet.observe.readings import Disk, Engine, Firewall, Readings, Switch
from ovsnet.settings import Settings

SETTINGS = Settings()
SWITCH = Switch(
    database=Said("8.3.1"),
    daemon=Said("3.5.0"),
    datapaths=("netdev", "system"),
    owner="ovsnet",
    ports=2,
    lost_upcalls=0,
)
WELL = Readings(
    root=True,
    kernel="6.12.0",
    module="loaded",
    switch=SWITCH,
    engine=Engine("28.5.2", "1.51"),
    plugin=Said("listens"),
    agent=Said("listens"),
    firewall=Firewall(policy="DROP", engine_rules=True),
    disk=Disk(writable=True, free=1 << 40),
    links=("ov1", "ov2"),
    uplinks=(("eth0", 1500),),
)
ABSENT = Said(why="No such file or directory")


def finding(host: Readings, subject: str, settings: Settings = SETTINGS) -> Finding:
    return next(it for it in diagnose(host, settings) if it.subject == subject)


def test_a_fit_host_gets_nothing_but_ok() -> None:
    assert {it.level for it in diagnose(WELL, SETTINGS)} == {Level.OK}
    assert worst(diagnose(WELL, SETTINGS)) is Level.OK


def test_every_finding_that_is_not_ok_has_a_remedy() -> None:
    silent = Switch(database=ABSENT, daemon=ABSENT)
    bad = replace(
        WELL,
        root=False,
        module="absent",
        switch=silent,
        engine=Engine(why="refused"),
        plugin=ABSENT,
        agent=ABSENT,
        firewall=Firewall(why="refused"),
        disk=Disk(writable=False, free=0),
        missing=("ovs-vsctl",),
        uplinks=(),
    )
    findings = diagnose(bad, SETTINGS)
    assert worst(findings) is Level.PROBLEM
    assert [it.subject for it in findings if it.level is not Level.OK and not it.remedy] == []


@pytest.mark.parametrize(
    ("subject", "host", "level", "words"),
    [
        ("rights", replace(WELL, root=False), Level.WARNING, "not root"),
        ("programs", replace(WELL, missing=("ovs-ofctl",)), Level.PROBLEM, "not installed: ovs-ofctl"),
        ("programs", replace(WELL, missing=("dhcpcd",)), Level.WARNING, "cannot be attached with --dhcp"),
        ("kernel", replace(WELL, module="loadable"), Level.OK, "not loaded"),
        ("kernel", replace(WELL, module="absent"), Level.WARNING, "userspace datapath is used"),
        (
            "switch database",
            replace(WELL, switch=replace(SWITCH, database=ABSENT)),
            Level.PROBLEM,
            "no answer",
        ),
        (
            "ovs-vswitchd",
            replace(WELL, switch=replace(SWITCH, daemon=ABSENT)),
            Level.PROBLEM,
            "does not answer",
        ),
        (
            "ovs-vswitchd",
            replace(WELL, switch=replace(SWITCH, daemon=Said("2.17.9"))),
            Level.WARNING,
            "older",
        ),
        (
            "ovs-vswitchd",
            replace(WELL, switch=replace(SWITCH, daemon=Said("3.1.0"))),
            Level.OK,
            "runs, 3.1.0",
        ),
        ("datapath", replace(WELL, switch=replace(SWITCH, datapaths=())), Level.WARNING, "not known"),
        ("checksum offload", replace(WELL, module="absent"), Level.OK, "switched off"),
        (
            "checksum offload",
            replace(WELL, module="absent", switch=replace(SWITCH, tso=True)),
            Level.OK,
            "left on",
        ),
        ("upcalls", replace(WELL, switch=replace(SWITCH, lost_upcalls=13)), Level.WARNING, "lost 13"),
        ("upcalls", replace(WELL, switch=replace(SWITCH, lost_upcalls=None)), Level.OK, "no kernel datapath"),
        ("Docker engine", replace(WELL, engine=Engine(why="refused")), Level.PROBLEM, "no answer"),
        ("Docker engine", replace(WELL, engine=Engine("19.03.15", "1.40")), Level.WARNING, "older"),
        ("Docker engine", replace(WELL, engine=Engine("20.10.24+dfsg1", "1.41")), Level.OK, "20.10.24"),
        ("Docker engine", replace(WELL, engine=Engine("unknown", "1.41")), Level.WARNING, "older"),
        ("plugin socket", replace(WELL, plugin=ABSENT), Level.PROBLEM, "Docker cannot reach us"),
        ("agent", replace(WELL, agent=ABSENT), Level.PROBLEM, "nobody listens"),
        ("bridge", replace(WELL, switch=replace(SWITCH, owner=None)), Level.OK, "does not exist yet"),
        (
            "bridge",
            replace(WELL, switch=replace(SWITCH, owner="")),
            Level.PROBLEM,
            "is not ours (owner unknown)",
        ),
        (
            "bridge",
            replace(WELL, switch=replace(SWITCH, owner="other")),
            Level.PROBLEM,
            "is not ours (owner other)",
        ),
        (
            "leftovers",
            replace(WELL, agent=ABSENT),
            Level.WARNING,
            "2 ports and 2 interfaces (ov1, ov2) of ours",
        ),
        (
            "leftovers",
            replace(WELL, agent=ABSENT, links=(), switch=replace(SWITCH, ports=0)),
            Level.OK,
            "no port",
        ),
        (
            "leftovers",
            replace(WELL, agent=ABSENT, links=tuple("abcdefg")),
            Level.WARNING,
            "(a, b, c, d, e, …)",
        ),
        ("firewall", replace(WELL, firewall=Firewall(policy="DROP")), Level.WARNING, "no rules there"),
        ("firewall", replace(WELL, firewall=Firewall(policy="ACCEPT")), Level.OK, "policy ACCEPT"),
        (
            "firewall",
            replace(WELL, firewall=Firewall(policy="ACCEPT", forwarding=False)),
            Level.WARNING,
            "is 0",
        ),
        ("firewall", replace(WELL, firewall=Firewall(why="not installed")), Level.WARNING, "cannot be read"),
        (
            "uplink",
            replace(WELL, uplinks=(("wg0", 1420), ("eth0", 1500))),
            Level.WARNING,
            "wg0 with MTU 1420",
        ),
        ("uplink", replace(WELL, uplinks=()), Level.WARNING, "no default route"),
        ("store", replace(WELL, disk=Disk(writable=False, free=1 << 40)), Level.PROBLEM, "cannot be written"),
        ("store", replace(WELL, disk=Disk(writable=True, free=50 << 20)), Level.WARNING, "only 50 MiB"),
        ("store", replace(WELL, disk=Disk(writable=True, free=5 << 20)), Level.PROBLEM, "may not be kept"),
    ],
)
def test_each_subject_is_judged(subject: str, host: Readings, level: Level, words: str) -> None:
    found = finding(host, subject)
    assert found.level is level
    assert words in found.says


def test_a_datapath_that_is_asked_for_and_not_there_is_a_problem() -> None:
    kernel = Settings(datapath="system")
    host = replace(WELL, module="absent", switch=replace(SWITCH, datapaths=("netdev",)))
    assert finding(host, "kernel", kernel).level is Level.PROBLEM
    assert finding(host, "datapath", kernel).level is Level.PROBLEM


def test_what_an_ordinary_user_may_not_see_is_no_problem() -> None:
    denied = Said(why="Permission denied")
    host = replace(WELL, root=False, plugin=denied, engine=Engine(why="Permission denied"))
    assert worst(diagnose(host, SETTINGS)) is Level.WARNING
    assert finding(host, "plugin socket").says == "cannot be looked at: Permission denied"
    assert finding(replace(host, root=True), "plugin socket").level is Level.PROBLEM


def test_the_uplink_warning_names_the_mtu_to_use() -> None:
    assert finding(replace(WELL, uplinks=(("eth0", 1400),)), "uplink").remedy == "create networks with -o mtu=1400"
