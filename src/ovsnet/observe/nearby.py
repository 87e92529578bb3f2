"""Members that announce themselves on the LAN, as people are shown them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ovsnet.cluster.sighting import Sighting
from ovsnet.model.ids import IpAddress
from ovsnet.observe.cluster import ClusterFacts


@dataclass(frozen=True, slots=True)
class Around:
    """What was heard of, and the addresses of this host whose interfaces were listened on."""

    listened: Sequence[IpAddress]
    heard: Iterable[Sighting]


class NearbyMember(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody on the LAN says of himself. `fingerprint` is the beginning of that of his cluster's authority, in
    hex. `mine`: it is the cluster this host is in, by its id.
    """

    cluster: str
    name: str
    address: str
    port: int
    fingerprint: str
    mine: bool


class Nearby(msgspec.Struct, frozen=True, kw_only=True):
    """Who announced himself on the interfaces with the addresses `listened`. `verified` is always false: anybody can
    announce anything.
    """

    listened: tuple[str, ...]
    members: tuple[NearbyMember, ...]
    verified: bool = False


def nearby_of(around: Around, facts: ClusterFacts) -> Nearby:
    """By cluster and name; who was heard of on two interfaces is listed once."""
    mine = facts.cluster.info.id if facts.me else ""
    ordered = sorted(set(around.heard), key=lambda it: (it.cluster_id, it.name, str(it.address), it.port))
    return Nearby(
        listened=tuple(map(str, around.listened)),
        members=tuple(
            NearbyMember(
                cluster=it.cluster_id,
                name=it.name,
                address=str(it.address),
                port=it.port,
                fingerprint=it.fingerprint,
                mine=bool(mine) and it.cluster_id == mine,
            )
            for it in ordered
        ),
    )
