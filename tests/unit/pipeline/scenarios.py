"""The situations whose flows are written down in tests/golden/pipeline, one file each.

To write the files anew after a change that is meant, run this module (`python -m`), then read the difference.
"""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address
from pathlib import Path

from ovsnet.model.cluster import RemoteEndpoint
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import HostFacts, NameService, SwitchFacts
from ovsnet.model.ids import EndpointId, HostName, IpAddress, IpInterface, NetworkId, Ofport, SharedId, Vlan, Vni
from ovsnet.model.listening import EVERYTHING, NOTHING, Listening, to_groups
from ovsnet.model.network import Egress, Mode, Multicast, Network, NetworkOptions
from ovsnet.model.overlay import Overlay, TrunkPort, TunnelKind
from ovsnet.model.publication import Transport
from ovsnet.model.services import Import
from ovsnet.model.state import State
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.flow import Flow, Resource
from tests.states import DB, EMPTY, TWO_ENDPOINTS, TWO_NETWORKS, WEB, endpoint, state

GOLDEN = Path(__file__).parents[2] / "golden" / "pipeline"

LONELY = replace(WEB, options=NetworkOptions(icc=False))
LAB = replace(DB, options=NetworkOptions(vlan=Vlan(30)))
V6_ONLY = replace(WEB, ipv4=None, gateway4=None)
NO_GATEWAY = replace(DB, gateway4=None)
NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
SHOWN = replace(LONELY, exposed=True)
IMPORTED = (
    Import(NAT.id, ip_address("10.20.0.9"), Transport.TCP, 3322, ip_address("192.0.2.7"), 2211),
    Import(NAT.id, ip_address("fd00:20::9"), Transport.UDP, 53, ip_address("2001:db8::7"), 53),
)
BARE = Network(id=NetworkId("c3" * 32), vni=Vni(12), name="bare")


def bare(number: int, network: Network = BARE) -> Endpoint:
    """An endpoint without any address."""
    return replace(endpoint(number), network_id=network.id, ipv4=None, ipv6=None)


A, B, C = HostName("a"), HostName("b"), HostName("c")
"""This host and two others."""
BLUE = replace(DB, id=NetworkId("d4" * 32), vni=Vni(20), name="blue", space="blue")
"""Network DB once more, in an address space of its own."""
SHARED_WEB = replace(WEB, shared=SharedId(WEB.id), options=NetworkOptions(mode=Mode.OVERLAY))
SHARED_DB = replace(DB, shared=SharedId(DB.id), options=NetworkOptions(mode=Mode.OVERLAY))
DOMAIN_WEB, DOMAIN_DB = (
    replace(it, options=NetworkOptions(mode=Mode.OVERLAY, egress=Egress.NAT, domain="shop"))
    for it in (SHARED_WEB, SHARED_DB)
)
"""The same in one routing domain."""
ON_TRUNK = replace(SHARED_WEB, options=NetworkOptions(mode=Mode.UNDERLAY, vlan=Vlan(65)))
TRUNK = "eth9"
"""The NIC that is this host's trunk, where it has one."""
SHARED_LONELY = replace(SHARED_WEB, options=NetworkOptions(mode=Mode.OVERLAY, icc=False))


GROUP, GROUP6, ALONE = ip_address("239.1.2.3"), ip_address("ff05::123"), ip_address("239.9.9.9")
"""Groups with listeners on several hosts, and one that only another host's container listens to."""
SHARED_FLOOD = replace(SHARED_WEB, options=NetworkOptions(mode=Mode.OVERLAY, multicast=Multicast.FLOOD))


def listening(number: int, listens: Listening, network: Network = SHARED_WEB) -> Endpoint:
    """The endpoint with this number that listens to this."""
    return replace(endpoint(number, network), listens=listens)


def vtep(host: HostName, family: int = 4) -> IpAddress:
    """Where the tunnels of a host end."""
    number = ord(host) - ord("a") + 1
    return ip_address(f"10.99.0.{number}" if family == 4 else f"fd99::{number}")


def remote(
    number: int,
    host: HostName,
    network: Network = SHARED_DB,
    *,
    created_at: float = 0.0,
    listens: Listening = EVERYTHING,
) -> RemoteEndpoint:
    """The endpoint with this number as another host published it; each host has an id of its own for it."""
    it = endpoint(number, network)
    return RemoteEndpoint(
        id=EndpointId(f"{host}{it.id[1:]}"),
        network=network.shared,
        host=host,
        mac=it.mac,
        ipv4=None if it.ipv4 is None else it.ipv4.ip,
        ipv6=None if it.ipv6 is None else it.ipv6.ip,
        created_at=created_at,
        listens=listens,
    )


def overlay(
    *remotes: RemoteEndpoint,
    peers: tuple[HostName, ...] = (B, C),
    kind: TunnelKind = TunnelKind.OVS,
    family: int = 4,
    here: HostName = A,
    trunk: str = "",
) -> Overlay:
    """The tunnels of this host to these others that live, and its trunk."""
    networks = {it.network for it in remotes}
    return Overlay(
        local=vtep(here, family),
        device="eth1",
        kind=kind,
        peers={it: vtep(it, family) for it in peers},
        remotes={network: tuple(it for it in remotes if it.network == network) for network in networks},
        trunk=TrunkPort(trunk),
    )


OVERLAYS: Mapping[str, Overlay] = {
    "overlay-ovs": overlay(remote(5, B), remote(6, B), remote(7, C)),
    "overlay-kernel": overlay(remote(5, B), remote(6, B), remote(7, C), kind=TunnelKind.KERNEL),
    "overlay-dual-stack": overlay(remote(2, B, SHARED_WEB), remote(5, C, SHARED_WEB), family=6),
    "overlay-icc-off": overlay(remote(2, B, SHARED_LONELY)),
    "overlay-dead-peer": overlay(remote(5, B), remote(7, C), peers=(B,)),
    "overlay-domain": overlay(remote(5, B, DOMAIN_DB)),
    "multicast": overlay(
        remote(5, B, SHARED_WEB, listens=to_groups([GROUP, GROUP6])),
        remote(6, C, SHARED_WEB, listens=to_groups([ALONE])),
    ),
    "multicast-kernel": overlay(
        remote(5, B, SHARED_WEB, listens=to_groups([GROUP])),
        remote(6, C, SHARED_WEB, listens=NOTHING),
        kind=TunnelKind.KERNEL,
    ),
    "multicast-flood": overlay(remote(5, B, SHARED_FLOOD, listens=to_groups([GROUP]))),
    # Number 3 was on b before it came here, and b has not withdrawn it yet; number 5 went from c to b.
    "underlay": overlay(remote(2, B, ON_TRUNK), remote(5, C, ON_TRUNK), trunk=TRUNK),
    "overlay-moved": overlay(remote(3, B), remote(5, B, created_at=2.0), remote(5, C, created_at=1.0)),
}
"""Those of the situations that have other hosts."""

ON_LAN = replace(WEB, options=NetworkOptions(mode=Mode.UPLINK, uplink="eth0", egress=Egress.LAN))
"""The untagged LAN behind a NIC, with addresses of IPAM; its router has the gateway's."""
ASKING = replace(BARE, options=replace(ON_LAN.options, vlan=Vlan(20), dhcp=(4, 6)))
LISTENING = replace(BARE, options=replace(ON_LAN.options, slaac=True))
"""VLANs and LANs that give the addresses themselves."""
LEASED: Mapping[EndpointId, tuple[IpInterface, ...]] = {
    bare(6).id: (IPv4Interface("192.0.2.77/24"), IPv6Interface("2001:db8:77::13c/128")),
}
"""Endpoint 6 has its lease, 7 is waiting for one."""

SERVICE = NameService(IPv4Address("169.254.83.83"), "/run/netns/ovsnet-dns")
NAMED: Mapping[str, NameService] = {"names": SERVICE, "spaces": SERVICE}
"""Those that have a name service."""

SCENARIOS: Mapping[str, State] = {
    "base": EMPTY,
    "one-network": TWO_ENDPOINTS,
    "two-networks": TWO_NETWORKS,
    "ipv4-only": state(DB, endpoint(3, DB), endpoint(4, DB)),
    "ipv6-only": state(V6_ONLY, replace(endpoint(1), ipv4=None), replace(endpoint(2), ipv4=None)),
    "network-vlan": state(LAB, endpoint(3, LAB), endpoint(4, LAB)),
    "vlan-override": state(DB, endpoint(3, DB), endpoint(4, DB, Vlan(20)), endpoint(5, DB, Vlan(20))),
    "icc-off": state(LONELY, endpoint(1, LONELY), endpoint(2, LONELY)),
    "no-gateway": state(NO_GATEWAY, endpoint(3, NO_GATEWAY), endpoint(4, NO_GATEWAY)),
    "unaddressed": state(BARE, bare(6), bare(7)),
    "overlay-ovs": state(SHARED_DB, endpoint(3, SHARED_DB), endpoint(4, SHARED_DB)),
    "overlay-kernel": state(SHARED_DB, endpoint(3, SHARED_DB), endpoint(4, SHARED_DB)),
    "overlay-dual-stack": state(SHARED_WEB, endpoint(1, SHARED_WEB)),
    "overlay-icc-off": state(SHARED_LONELY, endpoint(1, SHARED_LONELY)),
    "overlay-dead-peer": state(SHARED_DB, endpoint(3, SHARED_DB)),
    "overlay-moved": state(SHARED_DB, endpoint(3, SHARED_DB)),
    "overlay-domain": state(DOMAIN_WEB, DOMAIN_DB, endpoint(1, DOMAIN_WEB)),
    "underlay": state(ON_TRUNK, endpoint(1, ON_TRUNK)),
    "uplink": state(ON_LAN, endpoint(1, ON_LAN), endpoint(2, ON_LAN)),
    "uplink-dhcp": state(ASKING, bare(6, ASKING), bare(7, ASKING)),
    "uplink-slaac": state(LISTENING, bare(8, LISTENING)),
    "multicast": state(
        SHARED_WEB, listening(1, to_groups([GROUP])), listening(2, NOTHING), listening(3, to_groups([GROUP, GROUP6]))
    ),
    "multicast-kernel": state(
        SHARED_WEB, listening(1, to_groups([GROUP6])), listening(2, EVERYTHING), listening(3, NOTHING)
    ),
    "multicast-flood": state(SHARED_FLOOD, listening(1, to_groups([GROUP]), SHARED_FLOOD)),
    "spaces": state(DB, BLUE, endpoint(3, DB), replace(endpoint(5, BLUE), ipv4=endpoint(3, DB).ipv4)),
    "egress": state(NAT, endpoint(1, NAT), endpoint(2, NAT)),
    "egress-imported": replace(state(NAT, endpoint(1, NAT)), imports={it.key: it for it in IMPORTED}),
    "egress-exposed": state(SHOWN, endpoint(1, SHOWN), endpoint(2, SHOWN)),
    "names": state(DB, LONELY, endpoint(3, DB), endpoint(4, DB), endpoint(1, LONELY)),
}


def ofport(it: Endpoint) -> Ofport:
    """The port an endpoint gets in the tests: the first octet of its id."""
    return Ofport(int(it.id[:2], 16))


def port(it: Endpoint) -> str:
    """The name of its port."""
    return f"p{ofport(it)}"


class Names:
    """What ports are called in the tests."""

    def port_name(self, endpoint: Endpoint, network: Network) -> str:
        """An endpoint's."""
        assert endpoint.network_id == network.id
        return port(endpoint)

    def tunnel_port(self, overlay: Overlay, vni: Vni) -> str:
        """That of the tunnels."""
        return "t" if overlay.kind is TunnelKind.OVS else f"t{vni}"

    def gateway_port(self, vni: Vni) -> str:
        """That of a gateway."""
        return f"g{vni}"

    def uplink_port(self, nic: str) -> str:
        """That to a LAN."""
        return f"u{nic}"

    def dns_port(self) -> str:
        """That of the name service."""
        return "d"


def ofports(of: State) -> dict[str, Ofport]:
    """When the switch has taken up every port; the tunnels' are numbered from 1000 on, the gateways' from 900 on."""
    devices = {f"t{it.vni}": Ofport(1000 + it.vni % 1000) for it in of.networks.values()}
    devices |= {f"g{it.vni}": Ofport(900 + it.vni % 90) for it in of.networks.values()}
    return (
        {port(it): ofport(it) for it in of.endpoints.values()}
        | devices
        | {"t": Ofport(1000), "d": Ofport(999), TRUNK: Ofport(998), "ueth0": Ofport(997)}
    )


def compiled(of: State, there: Overlay | None = None, asked: NameService | None = None) -> dict[str, Resource]:
    """The flows when the switch has taken up every port."""
    facts = HostFacts(SwitchFacts(ofports=ofports(of)), there, asked, leased=LEASED)
    return compile_flows(of, facts, Names())


def scenario(name: str) -> dict[str, Resource]:
    """The flows of a situation."""
    return compiled(SCENARIOS[name], OVERLAYS.get(name), NAMED.get(name))


def text(name: str) -> str:
    """What the golden file of a scenario holds: its flows and groups, sorted, without those of every host."""
    common = {} if name == "base" else compiled(EMPTY)
    own = [it for key, it in scenario(name).items() if key not in common]
    return "".join(f"{it.text}\n" for it in sorted(own, key=_place))


def _place(it: Resource) -> tuple[int, int, str]:
    return (it.table, -it.priority, it.match) if isinstance(it, Flow) else (256, it.id, "")


if __name__ == "__main__":
    for name in SCENARIOS:
        (GOLDEN / f"{name}.txt").write_text(text(name), encoding="utf-8")
