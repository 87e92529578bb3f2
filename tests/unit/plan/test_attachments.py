"""The plan of attachments: on bridges, and on networks as the endpoints they also are."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from ovsnet.model.attachment import Attachment, Tagging, Target, TargetKind
from ovsnet.model.host import Datapath, HostFacts, HostPlan, OtherBridge, Route, Routers, SwitchFacts
from ovsnet.model.ids import EndpointId, Mac, Vlan
from ovsnet.model.lease import Lessee
from ovsnet.model.network import PortKind
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.host import plan_host
from ovsnet.plan.leases import lessees
from tests.states import WEB, endpoint, state

SANDBOX = "/run/docker/netns/0123456789ab"
C1 = Target(TargetKind.CONTAINER, "c1" * 32, "c1")
ON_LAN = Attachment(
    id=EndpointId("ab" * 32),
    target=C1,
    ifname="eth1",
    mac=Mac("0a:00:00:00:00:01"),
    bridge="lan",
    addresses=(ip_interface("192.0.2.7/24"),),
    gateways=(ip_address("192.0.2.1"),),
    sandbox=SANDBOX,
)
ON_WEB = replace(ON_LAN, id=endpoint(1).id, bridge="", network_id=WEB.id)
LAN = {"lan": OtherBridge(Datapath.KERNEL)}
NAME = names.host_end(ON_LAN.id)


def plan(*attachments: Attachment, bridges: dict[str, OtherBridge] = LAN, base: State | None = None) -> HostPlan:
    wanted = replace(base or state(), attachments={it.id: it for it in attachments})
    facts = HostFacts(SwitchFacts(available=True, datapath=Datapath.USERSPACE, bridges=bridges))
    return plan_host(wanted, facts, bridge="br-test", instance="test")


@pytest.mark.row(17)
def test_an_attachment_on_a_bridge_is_inside_from_the_beginning() -> None:
    host = plan(ON_LAN)
    link, port = host.links[NAME], host.ports[NAME]
    assert link.placement is not None
    assert (link.placement.sandbox, link.placement.ifname) == (SANDBOX, "eth1")
    assert link.placement.routes[-1] == Route(link.placement.routes[-1].destination, ip_address("192.0.2.1"))
    assert (port.bridge, port.kind) == ("lan", PortKind.VETH)


@pytest.mark.row(33)
def test_what_it_sends_is_slowed_inside_and_what_it_gets_at_its_port() -> None:
    shape = Shape(rate=20_000_000, loss=30)
    host = plan(replace(ON_LAN, shape=shape))
    assert host.ports[NAME].rate == 20_000_000
    assert host.insides[names.inside(NAME)].shape == shape


@pytest.mark.row(29)
def test_what_is_written_beside_the_port() -> None:
    ids = plan(ON_LAN).ports[NAME].external_ids
    assert ids[names.CONTAINER_KEY] == C1.id
    assert ids[names.CONTAINER_NAME_KEY] == "c1"
    assert ids[names.IFNAME_KEY] == "eth1"
    assert ids[names.BRIDGE_KEY] == "lan"
    assert ids[names.ADDRESSES_KEY] == "192.0.2.7/24"


@pytest.mark.row(75)
def test_addresses_from_a_server_are_written_beside_the_port() -> None:
    switch = SwitchFacts(available=True, datapath=Datapath.USERSPACE, bridges=LAN)
    facts = HostFacts(switch, leased={ON_LAN.id: (ip_interface("198.51.100.9/24"),)})
    host = plan_host(replace(state(), attachments={ON_LAN.id: ON_LAN}), facts, bridge="br-test", instance="test")
    assert host.ports[NAME].external_ids[names.ADDRESSES_KEY] == "192.0.2.7/24 198.51.100.9/24"


@pytest.mark.row(75, 77)
@pytest.mark.parametrize(
    ("dhcp", "slaac", "routers"),
    [
        ((), False, Routers.IGNORED),
        ((4,), False, Routers.IGNORED),
        ((4, 6), False, Routers.HEEDED),
        ((), True, Routers.AUTOCONF),
        ((6,), True, Routers.AUTOCONF),
    ],
)
def test_routers_are_heeded_where_ipv6_comes_from_the_lan(dhcp: tuple[int, ...], slaac: bool, routers: Routers) -> None:
    placement = plan(replace(ON_LAN, dhcp=dhcp, slaac=slaac)).links[NAME].placement
    assert placement is not None
    assert placement.routers is routers


@pytest.mark.row(75)
def test_who_asks_a_server_for_addresses() -> None:
    asking = replace(ON_LAN, dhcp=(4,))
    there = [asking, replace(ON_LAN, id=EndpointId("1" * 64)), replace(asking, id=EndpointId("2" * 64), sandbox="")]
    wanted = replace(state(), attachments={it.id: it for it in there})
    assert lessees(wanted) == {asking.id: Lessee(asking.id, SANDBOX, "eth1", (4,))}
    assert lessees(wanted)[asking.id].hostname == "c1"


@pytest.mark.row(28)
@pytest.mark.parametrize("away", [replace(ON_LAN, sandbox=""), replace(ON_LAN, detached=True)])
def test_nothing_is_there_while_the_target_does_not_run(away: Attachment) -> None:
    host = plan(away)
    assert not host.links
    assert not host.ports


@pytest.mark.row(16, 17)
def test_a_bridge_is_made_only_where_there_was_none() -> None:
    ours = replace(ON_LAN, makes_bridge=True)
    assert plan(ON_LAN).bridges.keys() == {"br-test"}
    assert plan(ON_LAN, bridges={}).bridges.keys() == {"br-test"}
    made = plan(ours, bridges={}).bridges["lan"]
    assert (made.learning, made.datapath) == (True, Datapath.USERSPACE)
    assert plan(ours).bridges.keys() == {"br-test"}, "somebody took it over"


@pytest.mark.row(16)
def test_without_its_bridge_the_interface_waits_inside() -> None:
    host = plan(ON_LAN, bridges={})
    assert (list(host.links), list(host.ports)) == ([NAME], [])


@pytest.mark.row(18)
def test_a_bridge_we_made_stays_when_the_last_interface_goes() -> None:
    there = {"lan": OtherBridge(Datapath.KERNEL, ours=True)}
    assert plan(bridges=there).bridges["lan"].datapath is Datapath.KERNEL


def test_offloads_are_as_the_bridges_own_datapath_needs_them() -> None:
    assert plan(ON_LAN).links[NAME].checksum_offload
    assert not plan(ON_LAN, bridges={"lan": OtherBridge(Datapath.USERSPACE)}).links[NAME].checksum_offload


@pytest.mark.row(103)
def test_an_internal_port_is_called_inside_as_outside_and_needs_the_kernels_datapath() -> None:
    internal = replace(ON_LAN, port=PortKind.INTERNAL, ifname="lan5")
    assert plan(internal).ports.keys() == {"lan5"}
    assert not plan(internal, bridges={"lan": OtherBridge(Datapath.USERSPACE)}).ports


@pytest.mark.row(20)
def test_tagging_is_the_ports() -> None:
    trunk = replace(ON_LAN, tagging=Tagging.NATIVE, vlan=Vlan(5), trunks=(Vlan(10), Vlan(20)))
    port = plan(trunk).ports[NAME]
    assert (port.tagging, port.vlan, port.trunks) == ("native-untagged", 5, (10, 20))
    assert plan(ON_LAN).ports[NAME].tagging == ""


@pytest.mark.row(17, 25)
def test_an_attachment_on_a_network_is_its_endpoint_with_all_it_was_given() -> None:
    one = replace(endpoint(1), sandbox=SANDBOX, ifname="eth1", host_ifname="web-c1")
    more = replace(ON_WEB, addresses=(*ON_LAN.addresses, ip_interface("192.0.2.8/24")), host_ifname="web-c1", mtu=1400)
    host = plan(more, base=state(WEB, one))
    link = host.links["web-c1"]
    assert link.placement is not None
    assert len(link.placement.addresses) == 2
    assert link.mtu == 1400
    assert host.ports["web-c1"].bridge == ""
    assert host.ports["web-c1"].external_ids[names.ATTACHMENT_KEY] == more.id


@pytest.mark.row(25)
@pytest.mark.parametrize("name", [NAME, names.internal_port(ON_LAN.id), "ovdns", "ovxlan0", "ovtrunkp"])
def test_names_of_our_own_cannot_be_chosen(name: str) -> None:
    assert names.is_reserved(name)
    assert not names.is_reserved("ovs-web1")
