"""The desired state of the product as one immutable value with a revision. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.attachment import Attachment
from ovsnet.model.bound import Bound
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, IpAddress, NetworkId, PoolId
from ovsnet.model.network import Network
from ovsnet.model.publication import Transport
from ovsnet.model.services import Export, Import
from ovsnet.model.spare import Spare
from ovsnet.model.uplink import Uplink


@dataclass(frozen=True, slots=True)
class Counters:
    """What must survive and only ever grows.

    `mac_prefix` are the first three octets of the MACs of this host ("" before the first one is made, written like
    "0a:1b:2c"), `mac_next` the number of the next MAC under it: together they make a MAC that was never used before.
    `ula_prefix` is the /48 from which automatic IPv6 pools are cut ("" before the first).
    """

    mac_prefix: str = ""
    mac_next: int = 0
    ula_prefix: str = ""


def _empty() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is wanted. `revision` grows with every change and means something only within one process."""

    revision: int = 0
    networks: Mapping[NetworkId, Network] = field(default_factory=_empty)
    endpoints: Mapping[EndpointId, Endpoint] = field(default_factory=_empty)
    pools: Mapping[PoolId, Pool] = field(default_factory=_empty)
    allocations: Mapping[tuple[PoolId, IpAddress], Allocation] = field(default_factory=_empty)
    counters: Counters = field(default_factory=Counters)
    uplinks: Mapping[str, Uplink] = field(default_factory=_empty)
    """By the names of their NICs."""
    attachments: Mapping[EndpointId, Attachment] = field(default_factory=_empty)
    """Those on a network of ours have an endpoint of the same id beside them."""
    bounds: Mapping[tuple[str, NetworkId], Bound] = field(default_factory=_empty)
    """By container and network."""
    spares: Mapping[EndpointId, Spare] = field(default_factory=_empty)
    """Pairs that wait for an endpoint, by the ids they are named by."""
    exports: Mapping[tuple[Transport, IpAddress, int], Export] = field(default_factory=_empty)
    """By what they take of this host."""
    imports: Mapping[tuple[NetworkId, IpAddress, Transport, int], Import] = field(default_factory=_empty)
    """By network and what containers ask for."""

    def endpoints_of(self, network_id: NetworkId) -> tuple[Endpoint, ...]:
        """The endpoints of one network, in no particular order."""
        return tuple(it for it in self.endpoints.values() if it.network_id == network_id)

    def allocations_of(self, pool: PoolId) -> tuple[Allocation, ...]:
        """What is held or rests in one pool, in no particular order."""
        return tuple(it for it in self.allocations.values() if it.pool_id == pool)

    def attachments_on(self, bridge: str) -> tuple[Attachment, ...]:
        """The attachments on one bridge that is not our own."""
        return tuple(it for it in self.attachments.values() if bridge and it.bridge == bridge)

    def rate_of(self, endpoint: Endpoint, network: Network) -> int | None:
        """The most it may send, and the most it may receive, in bits a second; 0 for no bound, None where nobody ever
        said anything about it.
        """
        if endpoint.id in self.attachments:
            return self.attachments[endpoint.id].shape.rate
        ordered = self.bounds.get((endpoint.container_id, endpoint.network_id))
        if ordered is not None:
            return ordered.rate
        return (network.options.rate or None) if endpoint.rate is None else endpoint.rate
