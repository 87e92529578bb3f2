"""What this host does with the addresses of the networks of the cluster. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ovsnet.ipam import leasing
from ovsnet.ipam.allocator import rests
from ovsnet.ipam.leasing import Family
from ovsnet.model.addressing import AllocationKind
from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.ids import HostName, IpAddress, IpNetwork, PoolId, SharedId
from ovsnet.model.state import State

MAX_CLAIMS = 256
"""Addresses of one network claimed in one commit; it takes about 20 ms."""


@dataclass(slots=True)
class Use:
    """One family of one network, on this host.

    `held` is what containers have or are about to get, `kept` what they never get. `resting` was released a moment ago,
    with the time of that; `pinned` was asked for by name and released: it may be wanted on another host now.
    """

    held: set[IpAddress] = field(default_factory=set)
    kept: set[IpAddress] = field(default_factory=set)
    resting: dict[IpAddress, float] = field(default_factory=dict)
    pinned: set[IpAddress] = field(default_factory=set)


def uses(state: State, *, now: float, rest: float) -> Mapping[Family, Use]:
    """What is held and what rests, of every network of the cluster that has a part here."""
    found: dict[Family, Use] = defaultdict(Use)
    pools = _shared_pools(state)
    for it in state.allocations.values():
        network = pools.get(it.pool_id)
        if network is None:
            continue
        use = found[network, it.address.version]
        if it.kind is not AllocationKind.ENDPOINT:
            use.kept.add(it.address)
        elif it.held:
            use.held.add(it.address)
        elif rests(it, now=now, rest=rest):
            use.resting[it.address] = it.released_at or 0.0
        if not it.held and it.pinned:
            use.pinned.add(it.address)
    shared = {it.id: it.shared for it in state.networks.values() if it.shared}
    for endpoint in state.endpoints.values():
        for face in (endpoint.ipv4, endpoint.ipv6) if endpoint.network_id in shared else ():
            if face is not None:
                found[shared[endpoint.network_id], face.version].held.add(face.ip)
    return found


def _shared_pools(state: State) -> Mapping[PoolId, SharedId]:
    """The pools whose addresses are the cluster's."""
    subnets: dict[tuple[str, IpNetwork], SharedId] = {}
    for network in state.networks.values():
        for subnet in (network.ipv4, network.ipv6) if network.shared else ():
            if subnet is not None:
                subnets[network.space, subnet] = network.shared
    pairs = ((it.id, (it.space_name, it.subnet)) for it in state.pools.values())
    return {key: subnets[place] for key, place in pairs if place in subnets}


@dataclass(frozen=True, slots=True)
class Stock:
    """One family of one network: what this host has of it, and what it needs.

    `owners` are all leases, `mine` those of this host that it may hand out, `busy` what it uses or is about to.
    `demand` are requests without an address yet, `ahead` is how many free addresses there shall be beyond those.
    """

    network: SharedNetwork
    version: int
    owners: Mapping[IpAddress, HostName]
    mine: frozenset[IpAddress]
    use: Use
    busy: frozenset[IpAddress]
    demand: int
    ahead: int

    @property
    def free(self) -> frozenset[IpAddress]:
        """What the next request gets at once."""
        span = leasing.span_of(self.network, self.version)
        idle = self.mine - self.busy - self.use.kept
        return frozenset(it for it in idle if it not in self.use.resting and int(it) in span)

    @property
    def lost(self) -> frozenset[IpAddress]:
        """What containers have and nobody is leased: the leases of a host that was forgotten, or of an older copy."""
        return frozenset(it for it in self.use.held if it not in self.owners)

    def claims(self, start: int, tried: Container[IpAddress]) -> Sequence[IpAddress]:
        """What to claim, beginning at the number `start`; what was `tried` in vain a moment ago comes last.

        So does what rests or was just given back here, and only for requests.
        """
        free = len(self.free)
        wanted = leasing.to_claim(free - self.demand, self.ahead)
        if wanted == 0:
            return ()
        unwelcome = self.use.resting.keys() | self.use.pinned
        fresh = (it for it in self._unleased(start) if it not in unwelcome and it not in tried)
        chosen = list(islice(fresh, min(wanted, MAX_CLAIMS)))
        short = min(self.demand - free, MAX_CLAIMS) - len(chosen)
        if short > 0:
            others = (it for it in self._unleased(start) if it in unwelcome or it in tried)
            chosen += islice(others, short)
        return chosen

    def surplus(self) -> Sequence[IpAddress]:
        """What is free beyond the reserve."""
        free = sorted(self.free, key=int)
        return free[min(len(free), self.demand + self.ahead) :]

    def unwanted(self) -> frozenset[IpAddress]:
        """What goes at once: what somebody asked for by name and released, and what is not for everybody."""
        if self.demand:
            return frozenset()
        span, odd = leasing.span_of(self.network, self.version), self.use.pinned | self.use.kept
        return frozenset(it for it in self.mine - self.busy if it in odd or int(it) not in span)

    def _unleased(self, start: int) -> Iterator[IpAddress]:
        unleased = leasing.unleased(self.network, self.version, self.owners, start)
        return (it for it in unleased if it not in self.use.kept)
