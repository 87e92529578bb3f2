"""The cluster as one of its members sees it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from ovsnet.model.cluster import OVERHEAD, Cluster, Member, Role, SharedNetwork
from ovsnet.model.ids import NO_HOST, HostName
from ovsnet.model.network import Mode
from ovsnet.model.paths import Path
from ovsnet.store.census import Counts, counts_in


def _empty() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the agent knows of its cluster. `me` is "" on a host that is in none.

    `available`: the database takes changes; `reason` why not. `silence` is how many seconds each member has not been
    heard of; `paths` says of members whether packets get through the tunnel, which is another matter than signs of
    life. `waiting` endpoints of this host are not published yet. `problems` and `warnings` are sentences of the parts
    that found them.
    """

    me: HostName = NO_HOST
    cluster: Cluster = field(default_factory=Cluster)
    available: bool = False
    reason: str = ""
    leader: bool = False
    dead: frozenset[HostName] = frozenset()
    silence: Mapping[HostName, float] = field(default_factory=_empty)
    paths: Mapping[HostName, Path] = field(default_factory=_empty)
    waiting: int = 0
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    counts: Counts | None = None
    """Of all hosts; None: of what is known of them here."""


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster this host is in; `id` is "" where it is in none. Its tunnels are vxlan or geneve.

    `available` is false while the cluster's database takes no changes; `reason` says why. `leader`: the database's
    leader runs here. `waiting`: endpoints of this host that the others do not know of yet.
    """

    id: str
    host: str
    role: str
    available: bool
    reason: str
    leader: bool
    encapsulation: str
    udp_port: int
    members: int
    voters: int
    dead: tuple[str, ...]
    networks: int
    endpoints: int
    waiting: int


class MemberInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A host of the cluster. `state` is alive, dead, or unknown while the database is away. `silence` is in seconds,
    null where not known; `mtu` in bytes. `path` says whether packets get through the tunnel to it: up, down, unknown,
    and "" where nobody looks.
    """

    name: str
    address: str
    vtep: str
    mtu: int
    role: str
    state: str
    silence: float | None
    path: str
    version: str
    endpoints: int
    leases: int
    me: bool


def status_of(facts: ClusterFacts) -> ClusterStatus:
    """The cluster in a few words."""
    cluster = facts.cluster
    mine = cluster.members.get(facts.me)
    return ClusterStatus(
        id=cluster.info.id if facts.me else "",
        host=facts.me,
        role=mine.role if mine is not None else "",
        available=facts.available,
        reason=facts.reason,
        leader=facts.leader,
        encapsulation=cluster.info.encapsulation,
        udp_port=cluster.info.udp_port,
        members=len(cluster.members),
        voters=sum(it.role is Role.VOTER for it in cluster.members.values()),
        dead=tuple(sorted(facts.dead)),
        networks=len(cluster.networks),
        endpoints=sum(_counts(facts).endpoints.values()),
        waiting=facts.waiting,
    )


def members_of(facts: ClusterFacts) -> tuple[MemberInfo, ...]:
    """Every member, by name."""
    counts = _counts(facts)
    ordered = sorted(facts.cluster.members.values(), key=lambda it: it.name)
    return tuple(_member(it, facts, counts.endpoints.get(it.name, 0), counts.leases.get(it.name, 0)) for it in ordered)


def problems_of(facts: ClusterFacts) -> Iterator[str]:
    """What is not well, in sentences that say what to do."""
    if not facts.me:
        return
    if not facts.available:
        because = f" ({facts.reason})" if facts.reason else ""
        yield (
            f"The cluster's database takes no changes{because}; running containers keep their connections to all "
            "hosts, new ones start as long as this host has addresses in reserve, networks cannot be made or removed. "
            "'ovsnet cluster members' on another host shows which voters live; when most are gone for good: 'ovsnet "
            "cluster recover' on one that is left."
        )
    elif facts.me not in facts.cluster.members:
        yield (
            f"The cluster does not know this host ({facts.me}) any more: it was forgotten. Its containers reach no "
            "other host. 'ovsnet cluster leave --force' here, then join again with a new token."
        )
    yield from facts.problems


def warnings_of(facts: ClusterFacts) -> Iterator[str]:
    """What is worth knowing and breaks nothing here."""
    for name in sorted(facts.dead):
        yield (
            f"Host {name} gives no sign of life; nothing is sent to its containers until it does. "
            f"If it is gone for good: 'ovsnet cluster forget {name}' frees its addresses."
        )
    yield from facts.warnings
    yield from _narrow(facts.cluster)
    if facts.waiting and facts.available:
        yield f"{facts.waiting} endpoints of this host are not known to the other hosts yet."


def _narrow(cluster: Cluster) -> Iterator[str]:
    """Networks are made for the narrowest host there is; one that comes later may be narrower."""
    for network in sorted(cluster.networks.values(), key=lambda it: it.title):
        for member in sorted(cluster.members.values(), key=lambda it: it.name):
            if network.options.mode is Mode.UNDERLAY:
                yield from _trunk_of(member, network)
                continue
            room = member.mtu - OVERHEAD[member.vtep.version]
            if network.options.mtu > room:
                needed = network.options.mtu + OVERHEAD[member.vtep.version]
                what = f"Network {network.title} has an MTU of {network.options.mtu} bytes"
                room_there = f"host {member.name} has room for {room}"
                yield (
                    f"{what} and {room_there}: larger packets to it are lost. Raise the MTU of its interface to "
                    f"{needed}, or make the network anew."
                )


def _trunk_of(member: Member, network: SharedNetwork) -> Iterator[str]:
    if not member.trunk_mtu:
        lacks = f"Host {member.name} has no trunk, which network {network.title} needs: no container there can be on it"
        yield f"{lacks}. 'ovsnet status' there says what to do."
    elif member.trunk_mtu < network.options.mtu:
        what = f"Network {network.title} has an MTU of {network.options.mtu} bytes"
        room = f"the trunk of host {member.name} has room for {member.trunk_mtu}: larger packets to it are lost"
        yield f"{what} and {room}. Raise the MTU of its interface to {network.options.mtu}, or make the network anew."


def _member(member: Member, facts: ClusterFacts, endpoints: int, leases: int) -> MemberInfo:
    silence = facts.silence.get(member.name)
    state = "alive" if member.name == facts.me else "unknown" if not facts.available else "alive"
    return MemberInfo(
        name=member.name,
        address=str(member.address),
        vtep=str(member.vtep),
        mtu=member.mtu,
        role=member.role,
        state="dead" if member.name in facts.dead else state,
        silence=None if silence is None else round(silence, 1),
        path=facts.paths[member.name].state if member.name in facts.paths else "",
        version=member.version,
        endpoints=endpoints,
        leases=leases,
        me=member.name == facts.me,
    )


def _counts(facts: ClusterFacts) -> Counts:
    return facts.counts or counts_in(facts.cluster)
