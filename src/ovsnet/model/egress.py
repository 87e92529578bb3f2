"""Networks whose gateway is on this host: by which interface, and what may pass it. Pure.

container ── our bridge ── ovgp… ══ ovgw… ── this host ── elsewhere
                                    gateway's addresses and MAC
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ovsnet.model.ids import IpAddress, IpNetwork, NetworkId, Vni
from ovsnet.model.network import Egress, Network
from ovsnet.model.publication import Publication
from ovsnet.model.services import Import

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
    """True where this host is the network's gateway by what the network is, and not the switch alone."""
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
    `domain` lead to each other, "" is none. `space` is the number of its address space, 0 for the common one.
    """

    device: str
    subnets: tuple[IpNetwork, ...]
    egress: Egress
    exposed: bool
    domain: str = ""
    space: int = 0

    @property
    def leads_out(self) -> bool:
        """Whether containers reach what is elsewhere."""
        return self.egress in LEADS_OUT


@dataclass(frozen=True, slots=True)
class Lead:
    """A published port, and the container's address that it leads to by a gateway. `borrows`: the container sees the
    gateway's address in place of who asks, as its answers need not go by this gateway otherwise.
    """

    publication: Publication
    to: IpAddress
    device: str
    borrows: bool = False


@dataclass(frozen=True, slots=True)
class Detour:
    """An imported service, and the gateway by which the containers come for it."""

    service: Import
    device: str


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """The rules of this host about all of its gateways. Resource key: FIREWALL. Whatever is not named is closed.

    `changed` is what is to be said of rules that are there and not as they were written.
    """

    passages: tuple[Passage, ...]
    leads: tuple[Lead, ...] = ()
    detours: tuple[Detour, ...] = ()
    changed: str = ""

    @property
    def forwards(self) -> frozenset[int]:
        """The IP versions that this host has to forward."""
        out = {subnet.version for it in self.passages if it.leads_out for subnet in it.subnets}
        return frozenset(out | {it.to.version for it in self.leads})


FIREWALL: Final = "firewall of gateways"
