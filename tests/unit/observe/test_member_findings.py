"""The doctor's judgement of a member of a cluster."""

from dataclasses import replace

import pytest

from ovsnet.observe import member_findings
from ovsnet.observe.findings import Level
from ovsnet.observe.member_readings import MemberReadings
from ovsnet.settings import Settings

SETTINGS = Settings()
NOW = 1_000_000_000.0
DAY = 86400.0
PORTS = {7641: "", 7642: "", 7643: ""}
WELL = MemberReadings("h1", "", NOW + 3000 * DAY, PORTS, (), 2)
NOWHERE = MemberReadings(ports=PORTS)


@pytest.mark.parametrize(
    ("it", "level", "words"),
    [
        (NOWHERE, Level.OK, "in none"),
        (WELL, Level.OK, "member h1, certificate until 2009-11"),
        (replace(WELL, expires=NOW + 31 * DAY), Level.OK, "until"),
        (replace(WELL, expires=NOW + 29 * DAY), Level.WARNING, "expires soon (2001-10-08)"),
        (replace(WELL, expires=NOW - 1), Level.PROBLEM, "has expired (2001-09-09)"),
        (replace(WELL, why="/x/host.key: is for another key"), Level.PROBLEM, "is for another key"),
    ],
)
def test_the_certificate(it: MemberReadings, level: Level, words: str) -> None:
    found = member_findings.certificate(it, NOW)
    assert found.level is level
    assert words in found.says
    assert bool(found.remedy) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("it", "level", "words"),
    [
        (NOWHERE, Level.OK, "TCP 7641, 7642, 7643 are free"),
        (WELL, Level.OK, "are listened on"),
        (replace(WELL, ports={7641: ""}), Level.OK, "TCP 7641 are listened on"),
        (
            replace(NOWHERE, ports={**PORTS, 7642: "Address already in use"}),
            Level.WARNING,
            "7642 (cluster_db_port): Address already in use",
        ),
        (
            replace(WELL, ports={**PORTS, 7643: "Connection refused"}),
            Level.PROBLEM,
            "nobody listens on TCP 7643 (cluster_raft_port)",
        ),
    ],
)
def test_the_ports(it: MemberReadings, level: Level, words: str) -> None:
    found = member_findings.ports(it, SETTINGS)
    assert found.level is level
    assert words in found.says
    assert bool(found.remedy) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("it", "level", "words"),
    [
        (NOWHERE, Level.OK, "in no cluster"),
        (WELL, Level.OK, "all 2 others answer"),
        (replace(WELL, others=0), Level.OK, "no other"),
        (replace(WELL, silent=("host h2 (10.0.0.2) is not available: x",)), Level.WARNING, "1 of 2 others"),
        (replace(WELL, silent=tuple("abcd"), others=9), Level.WARNING, "4 of 9 others do not answer: a; b; c; …"),
    ],
)
def test_the_other_members(it: MemberReadings, level: Level, words: str) -> None:
    found = member_findings.members(it, SETTINGS)
    assert found.level is level
    assert words in found.says
    assert ("TCP 7641, 7642 and 7643" in found.remedy) is (level is not Level.OK)
