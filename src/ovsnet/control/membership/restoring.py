"""What must change so that the cluster's database is again what a backup says. Pure.

members, networks, records     as in the backup
what members are today         stays: addresses, roles, signs of life, invitations
published endpoints            stay on networks that stay; every host says its own again within a second
leases                         what is leased today stays leased; of the others those of the backup come back, so
                               that no address is ever given twice and no running container loses its own
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ovsnet.model.cluster import Cluster, Member, Role, SharedNetwork
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import HostName, SharedId
from ovsnet.store.interface import Change, Drop, Put


@dataclass(frozen=True, slots=True)
class Restoration:
    """`strangers` are members the backup does not know: they are none any more. `returning` were forgotten since.

    `made` and `removed` are networks, by title; `used` are those removed ones that have containers, with their hosts.
    """

    changes: Sequence[Change]
    strangers: tuple[HostName, ...] = ()
    returning: tuple[HostName, ...] = ()
    made: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    used: tuple[str, ...] = ()


def restoration(now: Cluster, backup: Cluster, voting: Collection[str]) -> Restoration:
    """How `now` becomes what `backup` says. `voting`: the addresses of RAFT's present servers."""
    strangers = tuple(sorted(now.members.keys() - backup.members.keys()))
    returning = {it.name: it for it in _returning(now, backup, voting)}
    after = {name: it for name, it in now.members.items() if name in backup.members} | returning
    removed = {key: it for key, it in now.networks.items() if key not in backup.networks}
    return Restoration(
        changes=(*_info(now, backup), *_unwanted(now, backup, after), *_wanted(now, backup, after)),
        strangers=strangers,
        returning=tuple(sorted(returning)),
        made=_titles(it for key, it in backup.networks.items() if key not in now.networks),
        removed=_titles(iter(removed.values())),
        used=_used(now, removed),
    )


def check(plan: Restoration, backup: Cluster, cluster_id: str, me: HostName, *, force: bool) -> None:
    """Conflict when the backup cannot be restored here, or must not without `force`."""
    if backup.info.id != cluster_id:
        raise Conflict(
            f"the backup is of another cluster ({backup.info.id or 'none'}; this one is {cluster_id}); its hosts have "
            "other keys, so it cannot be restored here"
        )
    if me not in backup.members:
        raise Conflict(
            f"the backup does not know this host ({me}): it was made before the host joined. Restore it on a voter "
            f"that it knows: {', '.join(sorted(backup.members))}"
        )
    lost = list(_lost(plan))
    if lost and not force:
        raise Conflict(f"{' '.join(lost)} Nothing was changed; --force restores it all the same")


def described(plan: Restoration) -> str:
    """What was done, for people."""
    parts = [
        f"{what}: {', '.join(names)}."
        for what, names in (
            ("Networks made again", plan.made),
            ("Networks removed", plan.removed),
            ("Hosts that are members again", plan.returning),
            (
                "Hosts that are no members any more; on each run 'ovsnet cluster leave --force', then join again",
                plan.strangers,
            ),
        )
        if names
    ]
    return " ".join(("The cluster's database is restored.", *parts))


def _lost(plan: Restoration) -> Iterator[str]:
    if plan.strangers:
        yield (
            f"The backup was made before these hosts joined: {', '.join(plan.strangers)}. They would be no members any "
            "more, their containers would reach no other host, and they would have to join again."
        )
    if plan.used:
        yield f"The backup was made before these networks, which have containers: {', '.join(plan.used)}."


def _info(now: Cluster, backup: Cluster) -> Iterator[Change]:
    """Who compared subnets before must do it again."""
    yield Put(replace(backup.info, generation=max(now.info.generation, backup.info.generation) + 1))


def _returning(now: Cluster, backup: Cluster, voting: Collection[str]) -> Iterator[Member]:
    """Forgotten since the backup was made. One whose place another host has taken stays forgotten."""
    taken = {address for it in now.members.values() for address in (it.address, it.vtep)}
    for member in backup.members.values():
        if member.name not in now.members and not taken & {member.address, member.vtep}:
            yield replace(member, role=Role.VOTER if str(member.address) in voting else Role.CLIENT)


def _wanted(now: Cluster, backup: Cluster, members: Mapping[HostName, Member]) -> Iterator[Change]:
    yield from (Put(it) for name, it in members.items() if name not in now.members)
    yield from (Put(it) for key, it in backup.networks.items() if now.networks.get(key) != it)
    for key, lease in backup.leases.items():
        held = now.leases.get(key)
        if lease.network in backup.networks and lease.host in members and (held is None or held.host not in members):
            yield Put(lease)
    yield from (Put(it) for key, it in backup.records.items() if it.host in members and now.records.get(key) != it)


def _unwanted(now: Cluster, backup: Cluster, members: Mapping[HostName, Member]) -> Iterator[Change]:
    """Comes before what is wanted, which may have the same key and another host."""
    for things in (now.endpoints, now.leases):
        yield from (Drop(it) for it in things.values() if not _stays(it.network, it.host, backup, members))
    yield from (Drop(it) for key, it in now.records.items() if key not in backup.records or it.host not in members)
    for them in (now.beats, now.tokens):
        yield from (Drop(it) for it in them.values() if it.host not in members)
    yield from (Drop(it) for key, it in now.networks.items() if key not in backup.networks)
    yield from (Drop(it) for name, it in now.members.items() if name not in members)


def _stays(network: SharedId, host: HostName, backup: Cluster, members: Mapping[HostName, Member]) -> bool:
    return network in backup.networks and host in members


def _used(now: Cluster, removed: Mapping[SharedId, SharedNetwork]) -> tuple[str, ...]:
    hosts: dict[SharedId, set[str]] = {}
    for it in now.endpoints.values():
        if it.network in removed:
            hosts.setdefault(it.network, set()).add(it.host)
    return tuple(sorted(f"{removed[key].title} (on {', '.join(sorted(them))})" for key, them in hosts.items()))


def _titles(networks: Iterator[SharedNetwork]) -> tuple[str, ...]:
    return tuple(sorted(it.title for it in networks))
