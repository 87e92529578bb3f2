"""Hosts of one cluster in memory: a store each, and one they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ovsnet.control.commit import Committer
from ovsnet.control.networks import Networks
from ovsnet.control.requests import NetworkRequest, PoolRequest
from ovsnet.control.sharing.shared_networks import SharedNetworks, TrunkView
from ovsnet.model.addressing import LOCAL_SPACE, space_of
from ovsnet.model.cluster import Cluster, ClusterInfo, Member, RemoteEndpoint, SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import EndpointId, HostName, IpAddress, Mac, NetworkId, SharedId
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.store.interface import Store
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED

A, B, C = HostName("a"), HostName("b"), HostName("c")
SHOP = SharedId("51" * 32)
REQUEST = NetworkRequest(
    id=NetworkId(SHOP),
    ipv4=IPv4Network("10.40.0.0/24"),
    gateway4=IPv4Address("10.40.0.1"),
    ipv6=IPv6Network("fd00:40::/64"),
    gateway6=IPv6Address("fd00:40::1"),
    space4=LOCAL_SPACE,
    space6=LOCAL_SPACE,
)
OTHER = replace(
    REQUEST,
    id=NetworkId("62" * 32),
    ipv4=IPv4Network("10.41.0.0/24"),
    gateway4=IPv4Address("10.41.0.1"),
    ipv6=None,
    gateway6=None,
    space6="",
)


def member(name: HostName, *, mtu: int = 1500, vtep: IpAddress | None = None, trunk_mtu: int = 0) -> Member:
    address = vtep or IPv4Address(f"192.0.2.{ord(name) - ord('a') + 1}")
    return Member(name=name, address=address, vtep=address, mtu=mtu, trunk_mtu=trunk_mtu)


def cluster_store(*members: Member) -> MemoryStore[Cluster]:
    """The shared store of a cluster of these members; of a, b and c when none is given."""
    there = members or (member(A), member(B), member(C))
    return MemoryStore(SHARED, Cluster(info=ClusterInfo(id="cl"), members={it.name: it for it in there}))


@dataclass
class Host:
    """What one host's control has: its own store, the shared one, and the door for networks."""

    name: HostName
    shared: Store[Cluster]
    store: MemoryStore[State] = field(default_factory=lambda: MemoryStore(LOCAL))
    datapath: Datapath = Datapath.KERNEL
    no_trunk: str = ""
    """Why it has none."""
    trunk_mtu: int = 9000
    all_new: bool = True
    """Whether all hosts know of networks without a tunnel."""
    version: str = ""

    def __post_init__(self) -> None:
        self.committer = Committer(self.store)
        self.cluster = Committer(self.shared)
        self.sharing = SharedNetworks(
            self.cluster,
            self.name,
            trunk=TrunkView(lambda: self.no_trunk, lambda: self.trunk_mtu, lambda: self.all_new),
            version=self.version,
        )
        self.networks = Networks(
            self.committer, lambda: SwitchFacts(datapath=self.datapath), lambda: 1000.0, self.sharing
        )

    @property
    def state(self) -> State:
        return self.store.snapshot()

    @property
    def everywhere(self) -> Mapping[SharedId, SharedNetwork]:
        return self.shared.snapshot().networks


def pair(*members: Member) -> tuple[Host, Host]:
    """The hosts a and b of a cluster of these members."""
    shared = cluster_store(*members)
    return Host(A, shared), Host(B, shared)


async def make_part(host: Host, shared: SharedNetwork, number: int) -> Network:
    """Host's part of a network, as its engine makes it when its agent asked for that."""
    parts = host.sharing.parts
    with parts.expected(shared):
        parts.given(PoolRequest(space_of(LOCAL_SPACE, shared.space), shared.ipv4, shared.range4))
        return await host.networks.create(part_request(shared, number))


def part_request(shared: SharedNetwork, number: int) -> NetworkRequest:
    """CreateNetwork as another host's engine sends it when its agent asked for the network."""
    return replace(
        REQUEST,
        id=NetworkId(f"{number:02x}" * 32),
        options=dict(shared.asked),
        ipv4=shared.ipv4,
        ipv6=shared.ipv6,
        internal=shared.internal,
    )


def container(number: int, network: Network, *, name: str = "") -> Endpoint:
    """A container of this host on the network."""
    return Endpoint(
        id=EndpointId(f"{number:02x}" * 32),
        network_id=network.id,
        mac=Mac(f"0a:00:00:00:00:{number:02x}"),
        container_name=name,
    )


def published(number: int, host: HostName, network: SharedId, *names: str) -> RemoteEndpoint:
    """What a host published of one of its containers."""
    return RemoteEndpoint(
        id=EndpointId(f"{number:02x}" * 32),
        network=network,
        host=host,
        mac=Mac(f"0a:00:00:00:00:{number:02x}"),
        names=names,
    )
