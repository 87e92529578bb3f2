"""What the doctor says of the trunk."""

import pytest

from ovsnet.linux.trunk import Nic
from ovsnet.observe.findings import Level
from ovsnet.observe.trunk_findings import TrunkReading, trunk
from ovsnet.settings import Settings

pytestmark = pytest.mark.row(65)

GOOD = Nic("eth1", there=True, up=True, mtu=9000)


@pytest.mark.parametrize(
    ("reading", "level", "words"),
    [
        (TrunkReading(), Level.OK, "none is set"),
        (TrunkReading(GOOD), Level.OK, "interface eth1 with MTU 9000"),
        (TrunkReading(GOOD, carrier="br-ovsnet"), Level.OK, "interface eth1"),
        (TrunkReading(Nic("br0", there=True), is_bridge=True, carrier="br0"), Level.OK, "the OVS bridge br0"),
        (TrunkReading(GOOD, carrier="br0"), Level.PROBLEM, "is a port of the OVS bridge 'br0'"),
        (TrunkReading(Nic("eth9", obstacle="this host has no interface 'eth9'")), Level.PROBLEM, "no interface 'eth9'"),
    ],
)
def test_each_case_has_its_words(reading: TrunkReading, level: Level, words: str) -> None:
    found = trunk(reading, Settings())
    assert (found.subject, found.level) == ("trunk", level)
    assert words in found.says
    assert bool(found.remedy) is (level is Level.PROBLEM)
