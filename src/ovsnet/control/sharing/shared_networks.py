"""The networks of the cluster, as one of its hosts makes and removes them.

Every decision is a plain function of the cluster's state, taken again when another host was faster: `generation` in
ClusterInfo makes two hosts collide that want overlapping subnets at the same moment.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ovsnet.control.commit import Committer
from ovsnet.control.membership.upgrade import behind
from ovsnet.control.sharing.parts import Parts
from ovsnet.ipam.vnis import free_vni
from ovsnet.model.cluster import OVERHEAD, Cluster, Member, SharedNetwork
from ovsnet.model.errors import BadRequest, Conflict, NotFound, Unavailable
from ovsnet.model.ids import HostName, NetworkId, SharedId, Vni
from ovsnet.model.network import DEFAULT_MTU, AskedOptions, Mode, Network, NetworkOptions
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop, Put

AWAY = (
    "networks of all hosts cannot be made or removed now, and running ones go on; "
    "'ovsnet cluster status' shows which hosts answer"
)
SHOWN = 5
"""Containers of a host that a message names."""

Users = Callable[[SharedId], Awaitable[Mapping[HostName, Sequence[str]]]]
"""The names of the containers that have been published on a network, by host."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrunkView:
    """What this host has for networks without a tunnel. `obstacle`: why it has no trunk, in words, "" when it has one.

    `mtu` is that of the trunk in bytes, also before the cluster has heard of it. `known_to_all` is False while members
    run a version that knows nothing of such networks.
    """

    obstacle: Callable[[], str] = lambda: ""
    mtu: Callable[[], int] = lambda: DEFAULT_MTU
    known_to_all: Callable[[], bool] = lambda: True


class SharedNetworks:
    """What a host may do with the networks that all hosts have."""

    def __init__(
        self,
        committer: Committer[Cluster],
        me: HostName,
        users: Users | None = None,
        trunk: TrunkView | None = None,
        version: str = "",
    ) -> None:
        """`users` is asked who uses a network; None: the snapshot has all endpoints. `version` is ours, of which the
        cluster hears a moment later.
        """
        self._trunk = trunk or TrunkView()
        self._version = version
        self._committer = committer
        self._me = me
        self._users = users or self._users_known
        self._making: set[SharedId] = set()
        self.parts = Parts()

    @property
    def me(self) -> HostName:
        """This host."""
        return self._me

    def snapshot(self) -> Cluster:
        """What is known of the cluster now, for reading only."""
        return self._committer.snapshot()

    def check_trunk(self, network: str) -> None:
        """BadRequest when this host has no trunk, Conflict while other hosts would not know what to do with one.

        `network` is what the message calls it.
        """
        obstacle = self._trunk.obstacle()
        if obstacle:
            raise BadRequest(f"{network} has mode=underlay, which needs a trunk on every host, and {obstacle}")
        if not self._trunk.known_to_all():
            raise Conflict(
                f"{network} has mode=underlay, and hosts of this cluster run a version of ovsnet that does not know "
                "it; 'ovsnet status' on the leader names them: upgrade them first"
            )

    @contextmanager
    def making(self, network: SharedId) -> Iterator[None]:
        """While this lasts the network is no left-over, although nothing of it is in our own store yet."""
        self._making.add(network)
        try:
            yield
        finally:
            self._making.discard(network)

    async def add(self, wanted: SharedNetwork, asked: AskedOptions, here: Callable[[], State]) -> SharedNetwork:
        """Make the network known to all hosts, with the MTU and VNI asked for or with ones that fit.

        `here` gives the state of this host as it is at the decision: with what was made beside this one meanwhile.
        Again with the same content it changes nothing. Conflict when its subnet or VNI is another network's,
        BadRequest for an MTU the tunnels cannot carry, Unavailable while the cluster's database is away.
        """
        return await self._commit(partial(self._decide_add, wanted, asked, here))

    async def take_back(self, networks: Collection[SharedId]) -> int:
        """Forget networks that nobody could have learned of yet; returns how many."""
        return await self._commit(partial(_decide_take_back, networks))

    async def release(self, network: SharedId, users_here: Sequence[str]) -> None:
        """Remove the network from all hosts; Conflict, naming them, while containers use it anywhere.

        `users_here` are those of this host: what it has published beyond them is out of date.
        """
        if network not in self.snapshot().networks:
            return
        await self._refuse_used(network, users_here)
        try:
            await self._commit(partial(_decide_release, network, self._me))
        except (Conflict, Unavailable):
            # Who came after we had asked is kept by the database, which does not say who it is.
            await self._refuse_used(network, users_here)
            raise

    async def _refuse_used(self, network: SharedId, users_here: Sequence[str]) -> None:
        try:
            published = await self._users(network)
        except Unavailable as error:
            raise Unavailable(error.neighbour, error.reason, remedy=AWAY) from error
        users = {host: names for host, names in {**published, self._me: users_here}.items() if names}
        known = self.snapshot().networks.get(network)
        if users and known is not None:
            raise Conflict(f"network {known.title} is in use on {_where(users)}; stop these containers first")

    async def _users_known(self, network: SharedId) -> Mapping[HostName, Sequence[str]]:
        users: dict[HostName, list[str]] = defaultdict(list)
        for it in self.snapshot().endpoints_of(network):
            users[it.host].append(it.names[0] if it.names else it.id[:12])
        return users

    def find(self, name_or_id: str) -> SharedNetwork:
        """The network with this name, or with an id that begins so; NotFound when there is none, or more than one."""
        networks = self.snapshot().networks.values() if name_or_id else ()
        named = [it for it in networks if it.name == name_or_id]
        found = named or [it for it in networks if it.id.startswith(name_or_id)]
        if len(found) != 1:
            what = "is not the beginning of one network's id only" if found else "is not known"
            raise NotFound(f"network {name_or_id!r} {what} in the cluster; 'ovsnet network ls' lists them")
        return found[0]

    async def _commit(self, decide: Callable[[Cluster], tuple[Sequence[Change], T]]) -> T:
        try:
            return await self._committer.commit(decide)
        except Unavailable as error:
            raise Unavailable(error.neighbour, error.reason, remedy=AWAY) from error

    def _decide_add(
        self, wanted: SharedNetwork, asked: AskedOptions, now_here: Callable[[], State], cluster: Cluster
    ) -> tuple[Sequence[Change], SharedNetwork]:
        known = cluster.networks.get(wanted.id)
        if known is not None:
            return (), _same(known, wanted, asked)
        here = now_here()
        left = self._left_over(cluster, here)
        others = [it for it in cluster.networks.values() if it not in left]
        if self._me not in cluster.members:
            raise Conflict(
                f"host {self._me} is not a member of the cluster any more; 'ovsnet cluster join' makes it one"
            )
        _check_space(wanted, {it: at for it, at in cluster.members.items() if it != self._me}, self._version)
        _check_overlap(wanted, others)
        _check_vlan(asked, others)
        if asked.mode is Mode.UNDERLAY:
            trunks = {it.name: it.trunk_mtu for it in cluster.members.values() if it.trunk_mtu}
            options = _options_on_trunk(wanted, asked, {**trunks, self._me: self._trunk.mtu()})
        else:
            options = _options(wanted, asked, cluster)
        made = replace(wanted, options=options, vni=_vni(wanted, asked, others, here))
        return (*(Drop(it) for it in left), Put(made), _next_generation(cluster)), made

    def _left_over(self, cluster: Cluster, here: State) -> list[SharedNetwork]:
        """Networks this host began to make and never finished: they would be in the way of the next attempt."""
        parts = {it.shared for it in here.networks.values()} | self._making
        return [it for it in cluster.networks.values() if it.origin == self._me and not it.name and it.id not in parts]


def taken_vnis(cluster: Cluster, here: State) -> Mapping[Vni, str]:
    """Every number in use, in the cluster or on this host, with what it is used by."""
    local = {it.vni: it.title for it in here.networks.values()}
    return {**local, **{it.vni: f"{it.title} (made on host {it.origin})" for it in cluster.networks.values()}}


def check_vni(vni: Vni, taken: Mapping[Vni, str]) -> None:
    """Conflict naming the network that has it."""
    if vni in taken:
        raise Conflict(f"vni={vni} is the number of network {taken[vni]}; choose another one or leave it out")


def unfinished(cluster: Cluster, me: HostName, known: Collection[NetworkId]) -> Sequence[SharedNetwork]:
    """Networks without a name, which is learned from the engine of their origin, that nobody can name any more.

    `known` are the networks of this host's engine.
    """
    return [
        it
        for it in cluster.networks.values()
        if not it.name and (it.origin not in cluster.members or (it.origin == me and NetworkId(it.id) not in known))
    ]


# ---------------------------------------------------------------- making one


def _same(known: SharedNetwork, wanted: SharedNetwork, asked: AskedOptions) -> SharedNetwork:
    options = asked.resolved(mode=Mode.OVERLAY, mtu=known.options.mtu, ipv6=wanted.ipv6 is not None)
    again = replace(
        wanted,
        options=options,
        vni=asked.vni or known.vni,
        name=known.name,
        labels=known.labels,
        created_at=known.created_at,
    )
    if again != known:
        raise Conflict(f"network {known.title} exists with other settings; remove it first or choose another name")
    return known


def _check_space(wanted: SharedNetwork, others: Mapping[HostName, Member], ours: str) -> None:
    """A host that knows no address spaces would give the network's subnet to its engine as one of the common space."""
    older = behind(others, ours) if wanted.space else ()
    if older:
        raise Conflict(
            f"a network of all hosts with --ipam-opt space={wanted.space} needs one version of ovsnet on all of them; "
            f"upgrade host {', host '.join(older)}, or leave the option out"
        )


def _check_overlap(wanted: SharedNetwork, others: Iterable[SharedNetwork]) -> None:
    for other in (it for it in others if it.space == wanted.space):
        for mine, theirs in ((wanted.ipv4, other.ipv4), (wanted.ipv6, other.ipv6)):
            if mine is not None and theirs is not None and mine.overlaps(theirs):
                raise Conflict(
                    f"subnet {mine} overlaps {theirs} of network {other.title}, made on host {other.origin}; "
                    "choose another --subnet or another address space with --ipam-opt space=NAME, or run the command "
                    "again when you gave neither"
                )


def _check_vlan(asked: AskedOptions, others: Iterable[SharedNetwork]) -> None:
    """One VLAN of the trunks is one network."""
    vlan = asked.options.vlan
    for other in others:
        if asked.mode is Mode.UNDERLAY and other.options.mode is Mode.UNDERLAY and other.options.vlan == vlan:
            raise Conflict(
                f"vlan={vlan} is that of network {other.title}, made on host {other.origin}: two networks would be one "
                "on the wire; choose another VLAN"
            )


def _options(wanted: SharedNetwork, asked: AskedOptions, cluster: Cluster) -> NetworkOptions:
    members = cluster.members
    narrowest = min(members.values(), key=lambda it: (it.mtu, it.name))
    version = max(it.vtep.version for it in members.values())
    fits = narrowest.mtu - OVERHEAD[version]
    options = asked.resolved(mode=Mode.OVERLAY, mtu=fits, ipv6=wanted.ipv6 is not None)
    if options.mtu > fits:
        what = f"{cluster.info.encapsulation.called} over IPv{version}"
        raise BadRequest(
            f"mtu={options.mtu} does not fit: a packet between hosts has at most {narrowest.mtu} bytes (host "
            f"{narrowest.name}), of which the tunnel needs {OVERHEAD[version]} ({what}); "
            f"use at most {fits}, or leave mtu out"
        )
    return options


def _options_on_trunk(wanted: SharedNetwork, asked: AskedOptions, trunks: Mapping[HostName, int]) -> NetworkOptions:
    """A tag is no part of the MTU (IEEE 802.3 3.2.7): what the narrowest trunk has is there for packets."""
    mtu, narrowest = min((mtu, host) for host, mtu in trunks.items())
    options = asked.resolved(mode=Mode.UNDERLAY, mtu=mtu, ipv6=wanted.ipv6 is not None)
    if options.mtu > mtu:
        raise BadRequest(
            f"mtu={options.mtu} does not fit: the trunk of host {narrowest} takes {mtu} bytes; use at most that, or "
            "leave mtu out"
        )
    return options


def _vni(wanted: SharedNetwork, asked: AskedOptions, others: Sequence[SharedNetwork], here: State) -> Vni:
    taken = taken_vnis(Cluster(networks={it.id: it for it in others}), here)
    if asked.vni is None:
        return free_vni(NetworkId(wanted.id), taken)
    check_vni(asked.vni, taken)
    return asked.vni


def _next_generation(cluster: Cluster) -> Change:
    return Put(replace(cluster.info, generation=cluster.info.generation + 1))


# ---------------------------------------------------------------- removing one


def _decide_take_back(networks: Collection[SharedId], cluster: Cluster) -> tuple[Sequence[Change], int]:
    known = [cluster.networks[it] for it in networks if it in cluster.networks]
    used = {it.network for it in cluster.endpoints.values()} if known else set()
    doomed = [it for it in known if not it.name and it.id not in used]
    return ((*(Drop(it) for it in doomed), _next_generation(cluster)) if doomed else ()), len(doomed)


def _decide_release(network_id: SharedId, me: HostName, cluster: Cluster) -> tuple[Sequence[Change], None]:
    network = cluster.networks.get(network_id)
    if network is None:
        return (), None
    ours = (it for it in cluster.endpoints_of(network_id) if it.host == me)
    return (*(Drop(it) for it in ours), Drop(network), _next_generation(cluster)), None


def _where(users: Mapping[HostName, Sequence[str]]) -> str:
    def some(names: Sequence[str]) -> str:
        more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(sorted(names)[:SHOWN]) + more

    return " and ".join(f"host {host} ({some(names)})" for host, names in sorted(users.items()))


def users_on(state: State, network: Network) -> Sequence[str]:
    """The containers of this host on a network, by name."""
    return [it.title for it in state.endpoints_of(network.id) if it.plugged]
