"""Networks whose gateway is on this host: by which interface, and what may pass it. Pure.

container ── our bridge ── ovgp… ══ ovgw… ── this host ── elsewhere
                                    gateway's addresses and MAC
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress, IpNetwork, NetworkId, Vni
from ovsnet.model.network import Egress, Network
from ovsnet.model.publication import Publication

GATEWAY_DEVICES: Final = "ovgw"
"""All names of interfaces that carry a gateway begin so, and no other name of ours."""
LEADS_OUT: Final = frozenset({Egress.NAT, Egress.ROUTED})


def gateway_device(vni: Vni) -> str:
    """The interface of the host that has the addresses of a network's gateway."""
    return f"{GATEWAY_DEVICES}{vni:x}"


def leads_out(network: Network) -> bool:
    """True where containers leave by the network's own gateway."""
    return network.options.egress in LEADS_OUT


def has_gateway_here(network: Network) -> bool:
    """True where this host is the network's gateway, and not the switch alone."""
    return leads_out(network) or network.exposed


def led_into(networks: Collection[Network], used: Collection[NetworkId]) -> frozenset[NetworkId]:
    """Where packets of this host's containers go, which are on the networks `used`: to these, and by the gateways here
    to all networks of the same routing domains, also to such as have containers on other hosts only.
    """
    domains = {it.options.domain for it in networks if it.id in used} - {""}
    return frozenset(it.id for it in networks if it.id in used or it.options.domain in domains)


@dataclass(frozen=True, slots=True)
class Passage:
    """What may pass a network's gateway. `egress` is NONE where nothing may but to and from this host; those of one
    `domain` lead to each other, "" is none.
    """

    device: str
    subnets: tuple[IpNetwork, ...]
    egress: Egress
    exposed: bool
    domain: str = ""

    @property
    def leads_out(self) -> bool:
        """Whether containers reach what is elsewhere."""
        return self.egress in LEADS_OUT


@dataclass(frozen=True, slots=True)
class Lead:
    """A published port, and the container's address that it leads to."""

    publication: Publication
    to: IpAddress


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """The rules of this host about all of its gateways. Resource key: FIREWALL. Whatever is not named is closed.

    `changed` is what is to be said of rules that are there and not as they were written.
    """

    passages: tuple[Passage, ...]
    leads: tuple[Lead, ...] = ()
    changed: str = ""

    @property
    def forwards(self) -> frozenset[int]:
        """The IP versions that this host has to forward."""
        return frozenset(subnet.version for it in self.passages if it.leads_out for subnet in it.subnets)


FIREWALL: Final = "firewall of gateways"


def passages(networks: Iterable[Network]) -> tuple[Passage, ...]:
    """Of the networks that have a gateway here, in the order of their numbers."""
    here = sorted((it for it in networks if has_gateway_here(it)), key=lambda it: it.vni)
    return tuple(
        Passage(
            gateway_device(it.vni),
            tuple(subnet for subnet in (it.ipv4, it.ipv6) if subnet is not None),
            it.options.egress if leads_out(it) else Egress.NONE,
            it.exposed,
            it.options.domain if leads_out(it) else "",
        )
        for it in here
    )


def leads(networks: Mapping[NetworkId, Network], endpoints: Iterable[Endpoint]) -> tuple[Lead, ...]:
    """Of the endpoints that are plugged into a network that leads out, in the order of their ports."""
    found = []
    for it in endpoints:
        network = networks.get(it.network_id) if it.published and it.plugged else None
        if network is not None and leads_out(network):
            addresses = {own.version: own.ip for own in (it.ipv4, it.ipv6) if own is not None}
            found += [Lead(one, addresses[one.version]) for one in it.published if one.version in addresses]
    return tuple(sorted(found, key=lambda it: (it.publication.host_port, it.publication.title)))
