"""One pool with everything in the state that has to do with it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress
from ovsnet.model.network import Network
from ovsnet.model.state import State


@dataclass(frozen=True, slots=True)
class PoolView:
    """One pool with everything in the state that has to do with it."""

    state: State
    pool: Pool

    @property
    def networks(self) -> tuple[Network, ...]:
        """Our networks on this subnet. None before CreateNetwork, and for a network of another driver."""
        return tuple(it for it in self.state.networks.values() if self.pool.serves(it))

    @property
    def title(self) -> str:
        """The pool as people know it."""
        names = ", ".join(f"network {it.title}" for it in self.networks)
        return names or "a network that is being made or removed, or that another driver made"

    def allocation(self, address: IpAddress) -> Allocation | None:
        return self.state.allocations.get((self.pool.id, address))

    def held(self) -> Iterator[Allocation]:
        """What was handed out and not released."""
        return (it for it in self.state.allocations_of(self.pool.id) if it.held)

    def released(self) -> list[Allocation]:
        """What rests, or has rested. A host may hold ten thousand addresses; few of them are these."""
        return [
            it for it in self.state.allocations.values() if it.released_at is not None and it.pool_id == self.pool.id
        ]

    def endpoints(self) -> Iterator[tuple[int, Endpoint]]:
        """Each endpoint of our networks on this subnet, with the number of its address."""
        ids = {it.id for it in self.networks}
        v4 = self.pool.subnet.version == 4
        for endpoint in self.state.endpoints.values():
            interface = endpoint.ipv4 if v4 else endpoint.ipv6
            if interface is not None and endpoint.network_id in ids:
                yield int(interface), endpoint

    def endpoint_at(self, address: IpAddress) -> Endpoint | None:
        wanted = int(address)
        return next((endpoint for number, endpoint in self.endpoints() if number == wanted), None)


class Taken:
    """The addresses of a pool that cannot be given: held ones, and what endpoints have without being held."""

    def __init__(self, view: PoolView) -> None:
        self._view = view
        self._of_endpoints = {number for number, _ in view.endpoints()}

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, IPv4Address | IPv6Address):
            return False
        allocation = self._view.allocation(address)
        return (allocation is not None and allocation.held) or int(address) in self._of_endpoints
