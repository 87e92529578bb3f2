"""Which networks may have their gateway on this host, and who opens this host to one and closes it again."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Final, Protocol

from ovsnet.control.commit import Committer
from ovsnet.model.egress import FIREWALL, has_gateway_here, leads_out
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.ids import IpNetwork
from ovsnet.model.network import Egress, Mode, Network, find_network
from ovsnet.model.spaces import number_for
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.interface import Change, Put

EXPOSE: Final = "expose"
HostNetworks = Callable[[], Awaitable[Collection[IpNetwork]]]


class Host(Protocol):
    """The reconciler, as seen from here."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Wait until `revision` is in force for these resources; raises what was refused."""


async def nothing_else() -> Collection[IpNetwork]:
    """Of a host that reaches nothing but its networks."""
    return ()


def resources_of(network: Network) -> tuple[str, ...]:
    """What must be in force before a container has its way out."""
    return (names.gateway_port(network.vni), FIREWALL) if has_gateway_here(network) else ()


def check_egress(network: Network) -> None:
    """BadRequest for a network that cannot lead out by a gateway of its own."""
    options = network.options
    if not leads_out(network):
        if options.domain:
            raise BadRequest(
                f"domain={options.domain} does not go with egress={options.egress}: networks of a routing domain reach "
                "each other by their gateways on this host; add -o egress=nat or -o egress=routed"
            )
        return
    what = f"egress={options.egress}"
    if network.internal:
        raise BadRequest(f"{what} does not go with --internal, which keeps containers from what is elsewhere")
    check_place(network, what)


async def check_host(network: Network, host_networks: HostNetworks) -> None:
    """Conflict where this host reaches something else by the addresses of the network."""
    for other in await host_networks():
        for subnet in (network.ipv4, network.ipv6):
            if subnet is not None and subnet.version == other.version and subnet.overlaps(other):
                raise Conflict(
                    f"network {network.title}: this host has a route to {other}, which overlaps its subnet {subnet}, "
                    "so it cannot be the network's gateway; choose another --subnet, or egress=docker"
                )


def check_apart(network: Network, state: State) -> None:
    """Conflict where this host is the gateway of a network with the same addresses in the same address space, whatever
    domains they are in, or where their domain is in another space.
    """
    for other in state.networks.values():
        if other.id == network.id or not has_gateway_here(other):
            continue
        if other.space != network.space:
            _check_domain(network, other)
            continue
        for subnet, its in ((network.ipv4, other.ipv4), (network.ipv6, other.ipv6)):
            if subnet is not None and its is not None and subnet.overlaps(its):
                raise Conflict(
                    f"network {network.title}: its subnet {subnet} overlaps {its} of network {other.title}, and this "
                    "host is the gateway of both, with one table of routes for an address space; choose another "
                    "--subnet, or give it an address space of its own: --ipam-driver ovsnet --ipam-opt space=NAME -o "
                    "egress=nat"
                )


def _check_domain(network: Network, other: Network) -> None:
    domain = network.options.domain
    if domain and other.options.domain == domain and leads_out(network):
        raise Conflict(
            f"network {network.title}: routing domain {domain} is in {_space(other)}, by network {other.title}, and "
            f"not in {_space(network)}; choose another domain, or the same --ipam-opt space"
        )


def _space(of: Network) -> str:
    return f"the address space {of.space!r}" if of.space else "the address space of networks that name none"


def numbered(network: Network, state: State) -> Network:
    """With the number of its address space, where this host must tell it from others."""
    if not network.space or not leads_out(network):
        return network
    return replace(network, space_number=number_for(network, state.networks.values()))


class Exposure:
    """`ovsnet expose` and `ovsnet hide`: this host and the containers of a network reach each other, or do not."""

    def __init__(
        self, committer: Committer[State], host: Host, host_networks: HostNetworks, *, deadline: float
    ) -> None:
        self._committer = committer
        self._host = host
        self._host_networks = host_networks
        self._deadline = deadline

    async def expose(self, name_or_id: str) -> Network:
        """Returns when it is in force; what is refused by the host is undone."""
        network = find_network(self._committer.snapshot().networks, name_or_id)
        check_place(network, EXPOSE)
        if not has_gateway_here(network):
            await check_host(network, self._host_networks)
        exposed = await self._put(network, exposed=True)
        try:
            await self._settled(exposed)
        except OvsnetError:
            if not network.exposed:
                await self._put(network, exposed=False)
            raise
        return exposed

    async def hide(self, name_or_id: str) -> Network:
        """Returns when it is in force."""
        network = find_network(self._committer.snapshot().networks, name_or_id)
        hidden = await self._put(network, exposed=False)
        await self._settled(hidden)
        return hidden

    async def _settled(self, network: Network) -> None:
        wanted = (names.gateway_port(network.vni), FIREWALL)
        await self._host.settled(self._committer.snapshot().revision, wanted, self._deadline)

    async def _put(self, network: Network, *, exposed: bool) -> Network:
        def decide(state: State) -> tuple[Sequence[Change], Network]:
            known = state.networks.get(network.id)
            if known is None:
                raise NotFound(f"network {network.title} is being removed")
            if exposed:
                check_apart(known, state)
            wanted = replace(known, exposed=exposed)
            return ((Put(wanted),) if wanted != known else ()), wanted

        return await self._committer.commit(decide)


def _check_space(network: Network, what: str) -> None:
    """Where another network may have the same addresses."""
    options, space = network.options, f"does not go with the address space {network.space!r}"
    if not network.space or (options.egress is Egress.NAT and what != EXPOSE):
        return
    if what == EXPOSE:
        raise BadRequest(
            f"expose {space}: its addresses may be those of another network, too, and this host could not say which "
            "it means; publish a port, with -p or 'ovsnet publish', or leave --ipam-opt space out"
        )
    if options.egress is Egress.ROUTED:
        raise BadRequest(
            f"{what} {space}: who is elsewhere has one route to an address, which may be another network's, too; use "
            "egress=nat, or leave --ipam-opt space out"
        )
    raise BadRequest(
        f"{what} {space} and egress={options.egress}: this host tells equal addresses apart on networks with "
        "egress=nat only; make the network with that, or leave --ipam-opt space out"
    )


def check_place(network: Network, what: str) -> None:
    """BadRequest for what keeps this host from being the gateway of a network, whatever for."""
    options = network.options
    if options.mode is Mode.UPLINK:
        raise BadRequest(
            f"{what} does not go with mode=uplink, where the LAN's router is the gateway and no host of ours"
        )
    if options.mode is Mode.UNDERLAY:
        raise BadRequest(
            f"{what} does not go with mode=underlay in this version, where every host would be the same gateway on one "
            "VLAN; use mode=overlay, or egress=docker"
        )
    _check_space(network, what)
    families = ((network.ipv4, network.gateway4), (network.ipv6, network.gateway6))
    if not network.addressed or any(subnet is not None and gateway is None for subnet, gateway in families):
        raise BadRequest(f"{what} needs a subnet with a gateway for every IP version of the network; add --gateway")
