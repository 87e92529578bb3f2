"""Networks of an engine that are compared: ours, and what Docker itself has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ovsnet.bench.choosing import chosen
from ovsnet.bench.crew import Crew
from ovsnet.bench.host import Host
from ovsnet.bench.station import KERNEL
from ovsnet.model.errors import Unavailable

OURS, GATEWAY, INTERNAL = "ovsnet", "ovsnet with Docker's gateway", "ovsnet internal port"
BRIDGE, MACVLAN, OVERLAY, NONE = "Docker bridge", "Docker macvlan", "Docker overlay", "no network"
PARENT, SWARM = "bench-parent", "bench-swarm"
SWARM_ADDRESS = "10.98.0.1"


@dataclass(frozen=True, slots=True)
class EngineNetwork:
    """A network: what it is called in a report and in the engine, and how the engine is asked for it."""

    subject: str
    name: str
    driver: str
    subnet: str
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is of our driver."""
        return self.driver == "ovsnet"


def _ours(subject: str, name: str, subnet: str, **options: str) -> EngineNetwork:
    return EngineNetwork(subject, name, "ovsnet", subnet, {"Options": options})


NETWORKS = (
    _ours(OURS, "ovsnet", "10.191.0.0/16", egress="none"),
    _ours(GATEWAY, "ovsnet-gateway", "10.192.0.0/16"),
    _ours(INTERNAL, "ovsnet-internal", "10.193.0.0/16", egress="none", port="internal"),
    EngineNetwork(BRIDGE, "bridged", "bridge", "10.194.0.0/16"),
    EngineNetwork(MACVLAN, "macvlan", "macvlan", "10.195.0.0/16", {"Options": {"parent": PARENT}}),
    EngineNetwork(OVERLAY, "overlay", "overlay", "10.196.0.0/16", {"Attachable": True}),
)
"""The chief one of ours first; the internal port's network is for the kernel datapath."""


async def make(network: EngineNetwork, host: Host) -> None:
    """Have the engine make it; OvsnetError says why it cannot."""
    if network.subject == INTERNAL and host.station.settings.datapath != KERNEL:
        reason = "the userspace datapath has none that survive a restart, so ovsnet makes none there"
        raise Unavailable(INTERNAL, reason)
    if network.driver == "macvlan":
        await _wire(host.crew, PARENT)
    if network.driver == "overlay":
        await _swarm(host)
    ipam = {"Driver": "ovsnet" if network.ours else "default", "Config": [{"Subnet": network.subnet}]}
    await host.engine.network(network.name, network.driver, network.subnet, IPAM=ipam, **network.fields)


async def _swarm(host: Host) -> None:
    """Of this engine alone."""
    await _wire(host.crew, SWARM, f"{SWARM_ADDRESS}/24")
    body = {"ListenAddr": f"{SWARM_ADDRESS}:2377", "AdvertiseAddr": SWARM_ADDRESS}
    await host.engine.engine.call("POST", "/swarm/init", body)


async def _wire(crew: Crew, name: str, *addresses: str) -> None:
    """An interface that leads nowhere and is up."""
    peer = f"{name[:12]}-w"
    await crew.call("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
    for it in addresses:
        await crew.call("ip", "addr", "add", it, "dev", name)
    for it in (name, peer):
        await crew.call("ip", "link", "set", it, "up")


def chosen_networks(networks: Sequence[EngineNetwork], only: Sequence[str]) -> list[EngineNetwork]:
    """Those of these names, or all; BadRequest names one that is not there."""
    return chosen("network", networks, only, lambda it: it.subject)
