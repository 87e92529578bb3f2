"""Address pools and what was handed out of them. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.ids import IpAddress, IpNetwork, PoolId
from ovsnet.model.network import Network

LOCAL_SPACE, SHARED_SPACE = "ovsnet-local", "ovsnet-global"
"""Our address spaces. Kept apart: a swarm manager that is also a node asks for the same subnet in both."""


_NAMED = "/"
"""Between the engine's address space and the name of one of ours within it; no name has it."""


def space_of(engines: str, name: str) -> str:
    """The space of a pool: the engine's, or the one of that name within it (`--ipam-opt space=NAME`)."""
    return f"{engines}{_NAMED}{name}" if name else engines


def name_in(space: str) -> str:
    """The name in it, "" for the engine's own."""
    return space.partition(_NAMED)[2]


class AllocationKind(StrEnum):
    """What an address was asked for."""

    GATEWAY = "gateway"
    ENDPOINT = "endpoint"
    RESERVED = "reserved"
    """`--aux-address`: kept out of the dynamic range by the user."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A subnet of one address space, within which no two overlap (see `space_of`).

    Dynamic addresses come from `sub_range` where it is given (`--ip-range`). `cursor` is the last address handed out
    dynamically: the next search starts after it.
    """

    id: PoolId
    space: str
    subnet: IpNetwork
    sub_range: IpNetwork | None = None
    cursor: IpAddress | None = None
    created_at: float = 0.0

    @property
    def engine_space(self) -> str:
        """The engine's address space, of which CreateNetwork tells."""
        return self.space.partition(_NAMED)[0]

    @property
    def space_name(self) -> str:
        """The name its users gave the space, "" for the one that needs no name."""
        return name_in(self.space)

    def serves(self, network: Network | SharedNetwork) -> bool:
        """Whether the network's addresses are from here: it says no more than its subnets and the name of the space."""
        return self.subnet in (network.ipv4, network.ipv6) and self.space_name == network.space


@dataclass(frozen=True, slots=True)
class Allocation:
    """One address of one pool that is held, or that rests after its release.

    `released_at` is None while held, else the wall clock (seconds since the epoch) of the release.
    `holder` is the container's name where the engine told it (29 and newer), else "". `pinned`: somebody asked for this
    very address in a network of the cluster, and at its release the cluster gets it back.
    """

    pool_id: PoolId
    address: IpAddress
    kind: AllocationKind
    holder: str = ""
    released_at: float | None = None
    created_at: float = 0.0
    pinned: bool = False

    @property
    def held(self) -> bool:
        """True until the address is released."""
        return self.released_at is None

    @property
    def key(self) -> tuple[PoolId, IpAddress]:
        """What makes it unique."""
        return (self.pool_id, self.address)
