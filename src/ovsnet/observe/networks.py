"""Networks as people see them. Pure."""

from collections.abc import Iterable, Iterator

import msgspec

from ovsnet.model.cluster import Cluster
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import NO_HOST, HostName, IpAddress, IpNetwork
from ovsnet.model.network import Network, find_network
from ovsnet.model.shaping import rate_words
from ovsnet.model.spaces import table_of
from ovsnet.model.state import State


class NetworkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A network. `name` is "" until the engine told it; `vlan` is 0 where ports are untagged; `mtu` is in bytes; `rate`
    is what bounds each endpoint, "" for nothing. `domain` is its routing domain, "" for none. `exposed`: this host and
    its containers reach each other. `space` is the name of the address space of its subnets, "" for the common one, and
    `routing_table` that of this host for what leads there, 0 for the usual one.
    With mode=uplink `uplink` is the NIC, and `from_lan` says how the LAN gives addresses: dhcp v4, dhcp v6, slaac.
    """

    id: str
    name: str
    vni: int
    mode: str
    vlan: int
    mtu: int
    port: str
    icc: bool
    egress: str
    domain: str = ""
    multicast: str
    rate: str = ""
    internal: bool
    exposed: bool = False
    space: str = ""
    routing_table: int = 0
    uplink: str = ""
    from_lan: tuple[str, ...] = ()
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    endpoints: int


class NetworkEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint of a network as it is wanted; `plugged` is false once the container has left.

    `host` is the member it runs on, "" for this host. Of other hosts' containers neither the id is known nor `rate`,
    the most it may send and the most it may receive.
    """

    id: str
    host: str
    container_id: str
    container: str
    mac: str
    addresses: tuple[str, ...]
    vlan: int
    plugged: bool
    rate: str = ""


class NetworkDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A network with its labels and everything on it."""

    network: NetworkInfo
    labels: dict[str, str]
    endpoints: tuple[NetworkEndpoint, ...]


def all_networks(state: State) -> tuple[NetworkInfo, ...]:
    """Every network, by name, then id."""
    counts = _endpoints_per_network(state.endpoints.values())
    ordered = sorted(state.networks.values(), key=lambda it: (it.name, it.id))
    return tuple(_info(it, counts.get(it.id, 0)) for it in ordered)


def inspect(state: State, wanted: str, cluster: Cluster | None = None, me: HostName = NO_HOST) -> NetworkDetails:
    """The network with this id, this name, or an id that begins so, with what other hosts have on it.

    NotFound when there is none; Conflict when several could be meant.
    """
    network = find_network(state.networks, wanted)
    members = sorted(state.endpoints_of(network.id), key=lambda it: (it.container_name, it.id))
    return NetworkDetails(
        network=_info(network, len(members)),
        labels=dict(network.labels),
        endpoints=(
            *(_endpoint(it, network, state.rate_of(it, network)) for it in members),
            *_elsewhere(network, cluster or Cluster(), me),
        ),
    )


def _elsewhere(network: Network, cluster: Cluster, me: HostName) -> Iterator[NetworkEndpoint]:
    others = (it for it in cluster.endpoints.values() if network.shared and it.network == network.shared)
    for it in sorted(others, key=lambda it: (it.host, it.names, it.id)):
        if it.host != me:
            yield NetworkEndpoint(
                id=it.id,
                host=it.host,
                container_id="",
                container=it.names[0] if it.names else "",
                mac=it.mac,
                addresses=tuple(str(address) for address in (it.ipv4, it.ipv6) if address is not None),
                vlan=network.options.vlan,
                plugged=True,
            )


def _endpoints_per_network(endpoints: Iterable[Endpoint]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for it in endpoints:
        counts[it.network_id] = counts.get(it.network_id, 0) + 1
    return counts


def _info(network: Network, endpoints: int) -> NetworkInfo:
    options = network.options
    return NetworkInfo(
        id=network.id,
        name=network.name,
        vni=network.vni,
        mode=options.mode,
        vlan=options.vlan,
        mtu=options.mtu,
        port=options.port,
        icc=options.icc,
        egress=options.egress,
        domain=options.domain,
        multicast=options.multicast,
        rate=rate_words(options.rate),
        internal=network.internal,
        exposed=network.exposed,
        space=network.space,
        routing_table=table_of(network.space_number),
        uplink=options.uplink,
        from_lan=(*(f"dhcp v{it}" for it in options.dhcp), *(["slaac"] if options.slaac else [])),
        subnets=_texts(network.ipv4, network.ipv6),
        gateways=_texts(network.gateway4, network.gateway6),
        endpoints=endpoints,
    )


def _endpoint(endpoint: Endpoint, network: Network, rate: int | None) -> NetworkEndpoint:
    return NetworkEndpoint(
        id=endpoint.id,
        host="",
        container_id=endpoint.container_id,
        container=endpoint.container_name,
        mac=endpoint.mac,
        addresses=tuple(str(it) for it in (endpoint.ipv4, endpoint.ipv6) if it is not None),
        vlan=endpoint.vlan_on(network),
        plugged=endpoint.plugged,
        rate=rate_words(rate or 0),
    )


def _texts(*values: IpNetwork | IpAddress | None) -> tuple[str, ...]:
    return tuple(str(it) for it in values if it is not None)
