"""Who may create and delete a network, and what it is then."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2s

from ovsnet.control.commit import Committer
from ovsnet.control.requests import NetworkRequest
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import MAX_VNI, NetworkId, Vni
from ovsnet.model.network import Network, NetworkOptions, PortKind, parse_options
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop, Put


class Networks:
    """CreateNetwork and DeleteNetwork. Needs neither the switch nor the engine to answer."""

    def __init__(
        self, committer: Committer[State], switch: Callable[[], SwitchFacts], clock: Callable[[], float]
    ) -> None:
        self._committer = committer
        self._switch = switch
        self._clock = clock

    async def create(self, request: NetworkRequest) -> Network:
        """Make the network; again with the same request it changes nothing. BadRequest names every bad option."""
        options = parse_options(request.options, ipv6=request.ipv6 is not None)
        _check_port(options, self._switch())
        network = Network(
            id=request.id,
            vni=Vni(0),
            options=options,
            internal=request.internal,
            ipv4=request.ipv4,
            ipv6=request.ipv6,
            gateway4=request.gateway4,
            gateway6=request.gateway6,
            created_at=self._clock(),
        )
        return await self._committer.commit(lambda state: _decide_create(state, network))

    async def delete(self, network_id: NetworkId) -> None:
        """Drop the network with every endpoint the engine forgot to delete before; unknown ones are gone already."""
        await self._committer.commit(lambda state: (network_removal(state, network_id), None))


def network_removal(state: State, network_id: NetworkId) -> Sequence[Change]:
    """The changes that make a network and its endpoints not be there."""
    network = state.networks.get(network_id)
    if network is None:
        return ()
    return (*(Drop(endpoint) for endpoint in state.endpoints_of(network_id)), Drop(network))


def _check_port(options: NetworkOptions, switch: SwitchFacts) -> None:
    if options.port is PortKind.INTERNAL and switch.datapath is Datapath.USERSPACE:
        raise BadRequest(
            "port=internal needs the kernel datapath: in the userspace datapath an ovs-vswitchd restart cuts such a "
            "container off for good; use port=veth, or load the kernel module openvswitch"
        )


def _decide_create(state: State, network: Network) -> tuple[Sequence[Change], Network]:
    known = state.networks.get(network.id)
    if known is None:
        made = replace(network, vni=_free_vni(state, network.id))
        return (Put(made),), made
    same = replace(network, vni=known.vni, name=known.name, labels=known.labels, created_at=known.created_at)
    if same != known:
        raise Conflict(f"network {known.title} exists with other settings; remove it first or choose another name")
    return (), known


def _free_vni(state: State, network_id: NetworkId) -> Vni:
    """Starts at a number made from the id, so that two hosts rarely want the same one."""
    taken = {it.vni for it in state.networks.values()}
    if len(taken) >= MAX_VNI:
        raise Conflict(f"all {MAX_VNI} network numbers are in use; remove a network first")
    vni = int.from_bytes(blake2s(network_id.encode(), digest_size=3).digest()) or 1
    while vni in taken:
        vni = vni % MAX_VNI + 1
    return Vni(vni)
