"""The named states everyone uses in tests."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from ovsnet.model.attachment import Attachment, Target, TargetKind
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Vlan, Vni
from ovsnet.model.network import Network, NetworkOptions, PortKind
from ovsnet.model.spare import Spare
from ovsnet.model.state import State

WEB_ID, DB_ID = NetworkId("a1" * 32), NetworkId("b2" * 32)
WEB = Network(
    id=WEB_ID,
    vni=Vni(10),
    name="web",
    ipv4=IPv4Network("10.20.0.0/24"),
    gateway4=IPv4Address("10.20.0.1"),
    ipv6=IPv6Network("fd00:20::/64"),
    gateway6=IPv6Address("fd00:20::1"),
)
DB = Network(id=DB_ID, vni=Vni(11), name="db", ipv4=IPv4Network("10.30.0.0/24"), gateway4=IPv4Address("10.30.0.1"))
FAST = replace(DB, options=NetworkOptions(port=PortKind.INTERNAL))


def endpoint(number: int, network: Network = WEB, vlan: Vlan | None = None) -> Endpoint:
    """The endpoint with this number: 1 … 250; every value is made from the number."""
    assert network.ipv4 is not None
    ipv6 = IPv6Interface((network.ipv6[number + 1], network.ipv6.prefixlen)) if network.ipv6 else None
    return Endpoint(
        id=EndpointId(f"{number:02x}" * 32),
        network_id=network.id,
        mac=Mac(f"0a:00:00:00:00:{number:02x}"),
        ipv4=IPv4Interface((network.ipv4[number + 1], network.ipv4.prefixlen)),
        ipv6=ipv6,
        vlan=vlan,
        container_name=f"c{number}",
    )


def state(*values: Network | Endpoint, revision: int = 1) -> State:
    """A state of these networks and endpoints."""
    return State(
        revision=revision,
        networks={it.id: it for it in values if isinstance(it, Network)},
        endpoints={it.id: it for it in values if isinstance(it, Endpoint)},
    )


EMPTY = State()
ONE_NETWORK = state(WEB)
ONE_ENDPOINT = state(WEB, endpoint(1))
TWO_ENDPOINTS = state(WEB, endpoint(1), endpoint(2))
TWO_NETWORKS = state(WEB, DB, endpoint(1), endpoint(2), endpoint(3, DB), endpoint(4, DB))
UNPLUGGED = state(WEB, endpoint(1), replace(endpoint(2), plugged=False))

C1 = Target(TargetKind.CONTAINER, "c1" * 32, "c1")
ON_LAN = Attachment(
    id=EndpointId("ab" * 32),
    target=C1,
    ifname="eth1",
    mac=Mac("0a:00:00:00:01:01"),
    bridge="lan",
    makes_bridge=True,
    addresses=(IPv4Interface("192.0.2.7/24"),),
    sandbox="/run/docker/netns/1",
)
ON_WEB = replace(ON_LAN, id=endpoint(2).id, bridge="", makes_bridge=False, network_id=WEB_ID, ifname="eth2")
ATTACHED = replace(TWO_ENDPOINTS, attachments={it.id: it for it in (ON_LAN, ON_WEB)})
ATTACHED_AND_STOPPED = replace(UNPLUGGED, attachments={it.id: replace(it, sandbox="") for it in (ON_LAN, ON_WEB)})

SPARE = Spare(EndpointId("5a" * 32), Mac("0a:00:00:00:02:01"), 1500)
SPARES = replace(ONE_NETWORK, spares={SPARE.id: SPARE})
TAKEN = state(WEB, replace(endpoint(1), mac=SPARE.mac, spare=SPARE.id))

NAMED = {
    "empty": EMPTY,
    "one network": ONE_NETWORK,
    "one endpoint": ONE_ENDPOINT,
    "two endpoints": TWO_ENDPOINTS,
    "two networks": TWO_NETWORKS,
    "unplugged": UNPLUGGED,
    "attached": ATTACHED,
    "attached and stopped": ATTACHED_AND_STOPPED,
    "spare": SPARES,
    "taken": TAKEN,
}
