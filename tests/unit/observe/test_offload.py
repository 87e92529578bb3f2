"""What is read of flows that Open vSwitch has handed over, and what the doctor says of it."""

import pytest

from ovsnet.observe.findings import Level
from ovsnet.observe.offload import OffloadReading, counted, offload, settings_in

DUMP = """\
ufid:a1,recirc_id(0),in_port(ov1),packets:12, bytes:1008, used:0.2s, dp:tc, actions:ov2
ufid:b2,recirc_id(0),in_port(ov2),packets:30, bytes:2940, used:0.2s, offloaded:yes, dp:tc, actions:ov1
"""
"""As Open vSwitch 3.1 prints flows in tc, shortened."""


@pytest.mark.parametrize(
    ("other_config", "said"),
    [
        ("{}", (False, "")),
        ('{hw-offload="false", tc-policy=skip_hw}', (False, "skip_hw")),
        ('{hw-offload="true"}', (True, "")),
        ('{hw-offload="true", tc-policy=skip_hw, userspace-tso-enable="true"}', (True, "skip_hw")),
    ],
)
def test_the_owners_settings_are_read(other_config: str, said: tuple[bool, str]) -> None:
    assert settings_in(other_config) == said


@pytest.mark.row(68)
def test_flows_and_their_packets_are_counted_and_those_in_a_nic_apart() -> None:
    read = counted("skip_hw", [DUMP, "", "flow-dump from the main thread:\n"])
    assert read == OffloadReading(on=True, policy="skip_hw", flows=2, in_nic=1, packets=42)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (OffloadReading(), "off, as is Open vSwitch's default"),
        (
            OffloadReading(on=True, flows=2, in_nic=1, packets=42),
            "on: 2 flows handed over, 1 of them to a NIC; 42 packets",
        ),
        (
            OffloadReading(on=True, policy="skip_hw", why="no answer"),
            "on, tc-policy=skip_hw; which flows",
        ),
    ],
)
def test_it_is_the_owners_setting_and_no_reason_to_warn(reading: OffloadReading, words: str) -> None:
    found = offload(reading)
    assert found.level is Level.OK
    assert found.says.startswith(words)
