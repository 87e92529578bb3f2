"""Who may create and delete a network, and what it is then.

mode=bridge     a Network of this host
mode=overlay    first a SharedNetwork, which other hosts see; then a Network, this host's part of it
mode=underlay   the same, on hosts that have a trunk
mode=uplink     a Network of this host, on an uplink of it (uplink_networks.py)
a part          of a SharedNetwork that another host made (control/sharing/replicas.py asks the engine for it)
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ovsnet.control import egress, uplink_networks
from ovsnet.control.commit import Committer
from ovsnet.control.kernel import Kernel
from ovsnet.control.requests import NetworkRequest
from ovsnet.control.sharing.parts import Parts
from ovsnet.control.sharing.shared_networks import SharedNetworks, check_vni, taken_vnis, users_on
from ovsnet.ipam.vnis import free_vni
from ovsnet.model.addressing import LOCAL_SPACE, SHARED_SPACE, AllocationKind, space_of
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.egress import leads_out
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import UNTAGGED, IpAddress, IpNetwork, NetworkId, SharedId, Vni
from ovsnet.model.network import (
    DEFAULT_MTU,
    EVERYWHERE,
    AskedOptions,
    Mode,
    Network,
    NetworkOptions,
    PortKind,
    parse_options,
)
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop, Put

_ALONE = "network {!r} is no network of a cluster; remove it on its host with 'docker network rm'"


class Networks:
    """CreateNetwork and DeleteNetwork. Needs neither the switch nor the engine to answer."""

    def __init__(
        self,
        committer: Committer[State],
        switch: Callable[[], SwitchFacts],
        clock: Callable[[], float],
        shared: SharedNetworks | None = None,
        host_networks: egress.HostNetworks = egress.nothing_else,
        kernel: Kernel | None = None,
    ) -> None:
        """`shared` is None on a host that is in no cluster; `clock`: seconds since the epoch; `host_networks`: what
        this host has routes or addresses in, but for the gateways of our networks.
        """
        self._host_networks = host_networks
        self._committer = committer
        self._switch = switch
        self._clock = clock
        self._kernel = kernel or Kernel()
        self._shared = shared
        self._parts = shared.parts if shared else Parts()

    async def create(self, request: NetworkRequest) -> Network:
        """Make the network; again with the same request it changes nothing. BadRequest names every bad option."""
        asked = parse_options(request.options)
        part_of = self._parts.made_with(request.ipv4, request.ipv6)
        if part_of:
            return await self._create_part(request, part_of)
        _check_port(asked.options, self._switch())
        await self._kernel.check(Shape(asked.options.rate))
        mode = asked.mode or (Mode.OVERLAY if self._shared else Mode.BRIDGE)
        uplink_networks.check_others(asked, mode)
        if mode in EVERYWHERE:
            return await self._create_everywhere(request, asked, mode)
        return await self._create_here(request, asked)

    async def delete(self, network_id: NetworkId) -> None:
        """Drop the network with every endpoint the engine forgot to delete before; unknown ones are gone already.

        A part of a network of the cluster takes that along. Where that cannot be, an error says why: the engine has
        forgotten its part by now, and gets it again.
        """
        kept = await self._release(network_id)
        await self._committer.commit(lambda state: (network_removal(state, network_id), None))
        if kept is not None:
            raise kept

    async def remove(self, name_or_id: str) -> SharedNetwork:
        """Remove a network of the cluster from all hosts; Conflict, naming them, while containers use it anywhere."""
        if self._shared is None:
            raise BadRequest(_ALONE.format(name_or_id))
        state = self._committer.snapshot()
        try:
            network = self._shared.find(name_or_id)
        except NotFound as error:
            if any(name_or_id in (it.name, it.id) for it in state.networks.values() if name_or_id and not it.shared):
                raise BadRequest(_ALONE.format(name_or_id)) from error
            raise
        parts = [it for it in state.networks.values() if it.shared == network.id]
        await self._shared.release(network.id, [user for part in parts for user in users_on(state, part)])
        return network

    async def _create_here(self, request: NetworkRequest, asked: AskedOptions) -> Network:
        if asked.mode is Mode.UPLINK:
            options = uplink_networks.on_uplink(request, asked, self._committer.snapshot(), self._switch())
        else:
            options = asked.resolved(mode=Mode.BRIDGE, mtu=DEFAULT_MTU, ipv6=request.ipv6 is not None)
        network = Network(
            id=request.id,
            vni=Vni(0),
            options=options,
            internal=request.internal,
            ipv4=request.ipv4,
            ipv6=request.ipv6,
            gateway4=request.gateway4,
            gateway6=request.gateway6,
            space=_space_name(request, self._committer.snapshot()),
            created_at=self._clock(),
        )
        await self._check_egress(network)
        return await self._committer.commit(partial(_decide_create, network, asked.vni, self._cluster))

    async def _create_everywhere(self, request: NetworkRequest, asked: AskedOptions, mode: Mode) -> Network:
        """The cluster's half first: other hosts may refuse it, and what only they know of harms nobody."""
        if self._shared is None:
            raise BadRequest(
                f"mode={mode}: this host is in no cluster; 'ovsnet cluster init' makes one and 'ovsnet cluster join' "
                "makes it a member of one, or use mode=bridge"
            )
        _check_everywhere(request, asked, mode)
        if mode is Mode.UNDERLAY:
            self._shared.check_trunk("this network")
        shared = self._shared
        wanted = _shared_network(request, self._committer.snapshot(), shared, self._clock())
        await self._check_egress(_asked_network(request, asked, mode, wanted.space))
        fresh = wanted.id not in shared.snapshot().networks
        with shared.making(wanted.id):
            made = await shared.add(wanted, asked, self._committer.snapshot)
            try:
                return await self._commit_part(request.id, made)
            except OvsnetError:
                if fresh:
                    with suppress(OvsnetError):  # Orphans collects it: it never got a name
                        await shared.take_back([made.id])
                raise

    async def _create_part(self, request: NetworkRequest, part_of: SharedId) -> Network:
        """This host's part of a network another host made. What the engine says of it was told by us before."""
        network = self._cluster().networks.get(part_of)
        if network is None:
            raise Conflict("this network was removed from the cluster while this host's engine was making its part")
        for told, known in ((request.ipv4, network.ipv4), (request.ipv6, network.ipv6)):
            if told != known:
                raise BadRequest(
                    f"network {network.title} of the cluster has the subnet {known}, not {told}; ovsnet makes it on "
                    f"every host by itself (an engine before 28 makes none without IPv4)"
                )
        _check_port(network.options, self._switch())
        if network.options.mode is Mode.UNDERLAY and self._shared is not None:
            self._shared.check_trunk(f"network {network.title} of the cluster")
        return await self._commit_part(request.id, network)

    async def _commit_part(self, network_id: NetworkId, shared: SharedNetwork) -> Network:
        part = Network(
            id=network_id,
            vni=shared.vni,
            options=shared.options,
            internal=shared.internal,
            ipv4=shared.ipv4,
            ipv6=shared.ipv6,
            gateway4=shared.gateway4,
            gateway6=shared.gateway6,
            space=shared.space,
            shared=shared.id,
            name=shared.name,
            labels=shared.labels,
            created_at=self._clock(),
        )
        await self._check_egress(part)
        return await self._committer.commit(partial(_decide_part, part, self._cluster))

    async def _check_egress(self, network: Network) -> None:
        """Whether this host can be its gateway, where that is asked for."""
        egress.check_egress(network)
        if leads_out(network) and network.id not in self._committer.snapshot().networks:
            await egress.check_host(network, self._host_networks)

    async def _release(self, network_id: NetworkId) -> OvsnetError | None:
        """Remove the network of the cluster that this is a part of; why not, if it cannot be."""
        network = self._committer.snapshot().networks.get(network_id)
        if network is None or not network.shared or self._shared is None:
            return None
        try:
            # The engine has no container on it any more, whatever we still know of.
            await self._shared.release(network.shared, ())
        except OvsnetError as error:
            text = f"{error}. Until then the network stays in the cluster, and is back on this host within seconds"
            return Conflict(text)
        return None

    def _cluster(self) -> Cluster:
        return self._shared.snapshot() if self._shared else Cluster()


def network_removal(state: State, network_id: NetworkId) -> Sequence[Change]:
    """The changes that make a network, its endpoints and what was attached to it not be there."""
    network = state.networks.get(network_id)
    if network is None:
        return ()
    attached = (Drop(it) for it in state.attachments.values() if it.network_id == network_id)
    bounds = (Drop(it) for it in state.bounds.values() if it.network_id == network_id)
    exports = (Drop(it) for it in state.exports.values() if it.network_id == network_id)
    imports = (Drop(it) for it in state.imports.values() if it.network_id == network_id)
    endpoints = (Drop(it) for it in state.endpoints_of(network_id))
    return (*attached, *bounds, *exports, *imports, *endpoints, Drop(network))


def _check_port(options: NetworkOptions, switch: SwitchFacts) -> None:
    if options.port is PortKind.INTERNAL and switch.datapath is Datapath.USERSPACE:
        raise BadRequest(
            "port=internal needs the kernel datapath: in the userspace datapath an ovs-vswitchd restart cuts such a "
            "container off for good; use port=veth, or load the kernel module openvswitch"
        )
    if options.port is PortKind.INTERNAL and options.rate:
        raise BadRequest(
            "network option rate does not go with port=internal: the rate of an internal port cannot be bound; leave "
            "it out, or use port=veth"
        )


def _check_everywhere(request: NetworkRequest, asked: AskedOptions, mode: Mode) -> None:
    """What only a network of one host can be."""
    families = [space for space, subnet in ((request.space4, request.ipv4), (request.space6, request.ipv6)) if subnet]
    if not families or not set(families) <= {LOCAL_SPACE, SHARED_SPACE}:
        raise BadRequest(
            "a network of all hosts needs addresses that are unique among them, which only our own IPAM driver gives; "
            "add --ipam-driver ovsnet, or -o mode=bridge for a network of this host alone"
        )
    vlan = asked.options.vlan
    if vlan != UNTAGGED and mode is Mode.OVERLAY:
        raise BadRequest(
            f"network option vlan={vlan} does not go with mode=overlay: there the VNI is the segment; "
            "leave it out, or use mode=bridge, or mode=underlay for a VLAN on the hosts' trunks"
        )
    if vlan == UNTAGGED and mode is Mode.UNDERLAY:
        raise BadRequest(
            "mode=underlay needs the VLAN by which the network is known on the hosts' trunks; add -o vlan=N, a number "
            "from 1 to 4094 that your switches carry between all hosts"
        )


def _shared_network(request: NetworkRequest, here: State, shared: SharedNetworks, now: float) -> SharedNetwork:
    """All but VNI and MTU, which the cluster decides. What only the IPAM driver is told is in the pools."""
    name = _space_name(request, here)
    space4, space6 = space_of(request.space4, name), space_of(request.space6, name)
    return SharedNetwork(
        id=SharedId(request.id),
        vni=Vni(0),
        origin=shared.me,
        internal=request.internal,
        ipv4=request.ipv4,
        ipv6=request.ipv6,
        range4=_range(here, space4, request.ipv4),  # type: ignore[arg-type]
        range6=_range(here, space6, request.ipv6),  # type: ignore[arg-type]
        gateway4=request.gateway4,
        gateway6=request.gateway6,
        reserved=_reserved(here, {(space4, request.ipv4), (space6, request.ipv6)}),
        space=name,
        asked=tuple(sorted(request.options.items())),
        created_at=now,
    )


def _asked_network(request: NetworkRequest, asked: AskedOptions, mode: Mode, space: str) -> Network:
    """As far as it is known before the cluster decides about it."""
    return Network(
        id=request.id,
        vni=Vni(0),
        options=replace(asked.options, mode=mode),
        internal=request.internal,
        ipv4=request.ipv4,
        ipv6=request.ipv6,
        gateway4=request.gateway4,
        gateway6=request.gateway6,
        space=space,
    )


def _space_name(request: NetworkRequest, here: State) -> str:
    """The name of the address space the network's subnets are from: of `--ipam-opt` only the IPAM driver hears.

    It is that of the pool that waits for its network. There is one (`Subnets`), and older ones of other drivers'
    networks.
    """
    known = here.networks.get(request.id)
    if known is not None:
        return known.space
    families = ((request.space4, request.ipv4), (request.space6, request.ipv6))
    waiting = (
        it
        for it in here.pools.values()
        if (it.engine_space, it.subnet) in families
        and not any(it.serves(network) for network in here.networks.values())
    )
    newest = max(waiting, key=lambda it: it.created_at, default=None)
    return newest.space_name if newest else ""


def _range(here: State, space: str, subnet: IpNetwork | None) -> IpNetwork | None:
    pools = (it for it in here.pools.values() if (it.space, it.subnet) == (space, subnet))
    return next((it.sub_range for it in pools), None)


def _reserved(here: State, subnets: Collection[tuple[str, IpNetwork | None]]) -> tuple[IpAddress, ...]:
    """In the order of their text, as the cluster's database gives them back."""
    pools = {it.id for it in here.pools.values() if (it.space, it.subnet) in subnets}
    held = (it for it in here.allocations.values() if it.pool_id in pools and it.kind is AllocationKind.RESERVED)
    return tuple(sorted((it.address for it in held if it.held), key=str))


def _decide_create(
    network: Network, vni: Vni | None, cluster: Callable[[], Cluster], state: State
) -> tuple[Sequence[Change], Network]:
    known = state.networks.get(network.id)
    if known is not None:
        return (), _same(replace(network, vni=vni or known.vni), known)
    if network.options.on_uplink:
        uplink_networks.check_place(network, state)
    if leads_out(network):
        egress.check_apart(network, state)
    taken = taken_vnis(cluster(), state)
    if vni is not None:
        check_vni(vni, taken)
    made = replace(egress.numbered(network, state), vni=vni or free_vni(network.id, taken))
    return (*uplink_networks.held_by_host(made, state, made.created_at), Put(made)), made


def _decide_part(part: Network, cluster: Callable[[], Cluster], state: State) -> tuple[Sequence[Change], Network]:
    known = state.networks.get(part.id)
    if known is not None:
        return (), _same(part, known)
    # The engine has one part of each network: an older one is what is left of a network it forgot.
    old = [it for it in state.networks.values() if it.shared == part.shared]
    left = replace(state, networks={key: it for key, it in state.networks.items() if it not in old})
    if leads_out(part):
        egress.check_apart(part, left)
    removals = [change for it in old for change in network_removal(state, it.id)]
    made = egress.numbered(part, left)
    return (*removals, *_renumbered(left, made, taken_vnis(cluster(), left)), Put(made)), made


def _renumbered(state: State, part: Network, taken: Mapping[Vni, str]) -> Sequence[Change]:
    """A network of this host alone has a number that nobody else knows: it makes room."""
    used = {*taken, part.vni}
    return [Put(replace(it, vni=free_vni(it.id, used))) for it in state.networks.values() if it.vni == part.vni]


def _same(again: Network, known: Network) -> Network:
    here = replace(again, exposed=known.exposed, space_number=known.space_number, created_at=known.created_at)
    same = replace(here, name=known.name, labels=known.labels)
    if same != known:
        raise Conflict(f"network {known.title} exists with other settings; remove it first or choose another name")
    return known
