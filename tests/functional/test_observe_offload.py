"""The doctor asks a real Open vSwitch for the flows it has handed over."""

import pytest
from tests.functional.switch import Switch

from ovsnet.observe.readings import read_host
from ovsnet.settings import Settings

pytestmark = [pytest.mark.functional, pytest.mark.row(68)]


def test_it_is_asked_only_where_offload_is_on_and_answers(switch: Switch) -> None:
    settings = Settings(ovsdb_socket=str(switch.db_socket), ovs_run_dir=str(switch.run_dir))
    switch.add_bridge("br-test", datapath="netdev")
    assert not read_host(settings).switch.offload.on
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:hw-offload=true", "other_config:tc-policy=skip_hw")
    read = read_host(settings).switch.offload
    assert (read.on, read.policy, read.flows, read.in_nic, read.why) == (True, "skip_hw", 0, 0, "")
