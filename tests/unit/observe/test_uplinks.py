"""Uplinks as people see them."""

from dataclasses import replace

from ovsnet.cli.uplink import table_of
from ovsnet.model.network import Mode, NetworkOptions
from ovsnet.model.state import State
from ovsnet.model.uplink import Phase
from ovsnet.observe.uplinks import all_uplinks, networks_without
from tests.states import WEB, state
from tests.unit.plan.test_uplinks import ETH0


def test_each_is_shown_with_what_was_moved() -> None:
    leaving = replace(ETH0, nic="eth1", bridge="br-lan", phase=Phase.LEAVING, addresses=(), routes=())
    shown = all_uplinks(State(uplinks={"eth1": leaving, "eth0": ETH0}))
    assert [(it.nic, it.state) for it in shown] == [("eth0", "in force"), ("eth1", "leaving")]
    assert shown[0].addresses == ("192.0.2.10/24", "fd00:2::10/64")
    assert shown[0].gateways == ("192.0.2.1", "fd00:2::1")
    first = ["eth0", "br-eth0", "own", "in force", "192.0.2.10/24, fd00:2::10/64", "192.0.2.1, fd00:2::1"]
    assert list(table_of(shown).rows[0][:6]) == first


def test_a_network_whose_uplink_has_gone_is_told_of() -> None:
    lan = replace(WEB, options=NetworkOptions(mode=Mode.UPLINK, uplink="eth0"))
    assert networks_without(replace(state(lan), uplinks={"eth0": ETH0})) == ()
    (told,) = networks_without(state(lan))
    assert told == "Containers on web reach no LAN: eth0 is no uplink any more. 'ovsnet uplink add eth0'."
