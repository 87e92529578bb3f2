"""Where a NIC's addresses must be, and what is moved when NIC and record differ."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from ovsnet.model.datapath import Datapath
from ovsnet.model.host import HostFacts
from ovsnet.model.ids import Mac
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, NicSettings, Phase, Uplink, bridge_for
from ovsnet.plan.uplinks import moving, plan_of, plan_uplinks
from tests.states import state

NOW, LATER = "this boot", "the next boot"


def address(text: str, *, valid: int = 600) -> HostAddress:
    return HostAddress(ip_interface(text), valid=valid)


def route(destination: str, gateway: str = "", *, metric: int = 0, protocol: int = 4, source: str = "") -> HostRoute:
    return HostRoute(
        ip_network(destination),
        table=254,
        protocol=protocol,
        scope=0 if gateway else 253,
        gateway=ip_address(gateway) if gateway else None,
        metric=metric,
        source=ip_address(source) if source else None,
    )


OWN, OWN6 = address("192.0.2.10/24"), address("fd00:2::10/64")
CONNECTED = route("192.0.2.0/24", protocol=2, source="192.0.2.10")
DEFAULT, DEFAULT6 = route("0.0.0.0/0", "192.0.2.1", metric=100), route("::/0", "fd00:2::1", metric=50)
ETH0 = Uplink(
    nic="eth0",
    bridge="br-eth0",
    hold=Hold.OWN,
    phase=Phase.IN_FORCE,
    datapath=Datapath.USERSPACE,
    settings=NicSettings(Mac("02:00:00:00:00:01"), 1500),
    addresses=(OWN, OWN6),
    routes=(CONNECTED, DEFAULT, DEFAULT6),
    boot=NOW,
)
MOVED = plan_of(ETH0, moved=True)


def planned(uplink: Uplink, *trials: str) -> dict[str, bool]:
    wanted = replace(state(), uplinks={uplink.nic: uplink})
    return {nic: it.moved for nic, it in plan_uplinks(wanted, HostFacts(trials=frozenset(trials))).items()}


def test_an_uplink_in_force_is_moved() -> None:
    assert planned(ETH0) == {"eth0": True}


def test_one_that_is_tried_is_moved_only_while_somebody_watches() -> None:
    trying = replace(ETH0, phase=Phase.TRYING)
    assert planned(trying, "eth0") == {"eth0": True}
    assert planned(trying) == {"eth0": False}
    assert planned(trying, "eth1") == {"eth0": False}


def test_one_that_leaves_is_put_back_whoever_watches() -> None:
    assert planned(replace(ETH0, phase=Phase.LEAVING), "eth0") == {"eth0": False}


def test_what_was_noted_only_is_nobodys_business() -> None:
    assert planned(replace(ETH0, hold=Hold.NOTED)) == {}


def test_a_plan_is_the_same_whatever_is_recorded() -> None:
    assert plan_of(replace(ETH0, addresses=(), routes=(), boot=LATER), moved=True) == MOVED
    assert plan_of(ETH0, moved=False) != MOVED


def test_what_a_broken_move_left_on_the_nic_and_what_it_took_are_both_moved() -> None:
    assert moving(MOVED, (OWN6,), (DEFAULT6,), NOW) == ((OWN, OWN6), (CONNECTED, DEFAULT6, DEFAULT))


def test_an_address_is_valid_for_as_long_as_it_is_on_the_nic() -> None:
    (first, _), _ = moving(MOVED, (address("192.0.2.10/24", valid=3),), (), NOW)
    assert first.valid == 3


def test_after_a_boot_the_configuration_of_the_host_counts() -> None:
    other = address("192.0.2.20/24")
    connected = route("192.0.2.0/24", protocol=2, source="192.0.2.20")
    assert moving(MOVED, (other,), (connected, DEFAULT), LATER) == ((OWN6, other), (connected, DEFAULT, DEFAULT6))


def test_after_a_boot_without_configuration_the_record_counts() -> None:
    assert moving(MOVED, (), (), LATER) == (ETH0.addresses, ETH0.routes)


def test_routes_that_are_still_on_their_way_at_a_boot_come_from_the_record_where_they_fit() -> None:
    moved = address("203.0.113.7/24")
    connected = route("203.0.113.0/24", protocol=2, source="203.0.113.7")
    addresses, routes = moving(MOVED, (moved, OWN6), (connected,), LATER)
    assert addresses == (moved, OWN6)
    assert routes == (connected, DEFAULT6), "the old gateway is on no network of this host any more"


def test_a_bridge_is_named_after_its_nic_as_far_as_names_go() -> None:
    assert bridge_for("eth0") == "br-eth0"
    assert bridge_for("enp130s0f1np1") == ""
