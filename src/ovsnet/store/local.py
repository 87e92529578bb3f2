"""What this host was asked for: networks, endpoints, pools, addresses, attachments, bounds, services, uplinks. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    ip_address,
    ip_network,
)
from types import MappingProxyType
from typing import Any, Final

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.attachment import Attachment
from ovsnet.model.bound import Bound
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, NetworkId, PoolId, SharedId, Vlan, parse_mac
from ovsnet.model.network import Network
from ovsnet.model.services import Export, Import
from ovsnet.model.spare import Spare
from ovsnet.model.state import Counters, State
from ovsnet.model.uplink import Uplink
from ovsnet.store.attachments import decode_attachment, encode_attachment
from ovsnet.store.changes import shown, vnis_used_twice
from ovsnet.store.codec import (
    decode_listening,
    decode_names,
    decode_network,
    decode_published,
    encode_listening,
    encode_names,
    encode_network,
    encode_published,
    maybe,
    only,
)
from ovsnet.store.interface import Value
from ovsnet.store.services import decode_export, decode_import, encode_export, encode_import
from ovsnet.store.uplinks import decode_uplink, encode_uplink
from ovsnet.store.vocabulary import Columns, Edits, Parent, RowOf, Shape, Vocabulary


def _encode_network(it: Network, _row: RowOf) -> Columns:
    options = it.options
    on_lan = {"uplink": options.uplink, "dhcp": list(options.dhcp), "slaac": options.slaac}
    here = {"shared": it.shared, "exposed": it.exposed, "space_number": it.space_number}
    return {**encode_network(it), **on_lan, **here}


def _decode_network(row: Any) -> Network:
    here = {"shared": SharedId(row.shared), "exposed": row.exposed, "space_number": row.space_number}
    network = Network(id=NetworkId(row.net_id), **here, **decode_network(row))
    dhcp = tuple(sorted(int(it) for it in row.dhcp))
    return replace(network, options=replace(network.options, uplink=row.uplink, dhcp=dhcp, slaac=row.slaac))


# ---------------------------------------------------------------- endpoints


def _encode_endpoint(it: Endpoint, row: RowOf) -> Columns:
    return {
        "endpoint_id": it.id,
        "network": row(Network, it.network_id),
        "mac": it.mac,
        "ipv4": maybe(it.ipv4),
        "ipv6": maybe(it.ipv6),
        "vlan": [] if it.vlan is None else [int(it.vlan)],
        "plugged": it.plugged,
        "sandbox": it.sandbox,
        "ifname": it.ifname,
        "container_id": it.container_id,
        "container_name": it.container_name,
        "compose_service": it.compose_service,
        "aliases": encode_names(it.aliases),
        "names_route": maybe(it.names_route),
        "listens": encode_listening(it.listens),
        "host_ifname": it.host_ifname,
        "rate": [] if it.rate is None else [it.rate],
        "published": encode_published(it.published),
        "spare": it.spare,
        "created_at": repr(float(it.created_at)),
    }


def _decode_endpoint(row: Any) -> Endpoint:
    return Endpoint(
        id=EndpointId(row.endpoint_id),
        network_id=NetworkId(row.network.net_id),
        mac=parse_mac(row.mac),
        ipv4=only(row.ipv4, IPv4Interface),
        ipv6=only(row.ipv6, IPv6Interface),
        vlan=only(row.vlan, Vlan),
        plugged=row.plugged,
        sandbox=row.sandbox,
        ifname=row.ifname,
        container_id=row.container_id,
        container_name=row.container_name,
        compose_service=row.compose_service,
        aliases=decode_names(row.aliases),
        names_route=only(row.names_route, IPv4Network),
        listens=decode_listening(row.listens),
        host_ifname=row.host_ifname,
        rate=only(row.rate, int),
        published=decode_published(row.published),
        spare=row.spare,
        created_at=float(row.created_at),
    )


def _encode_bound(it: Bound, _row: RowOf) -> Columns:
    return {"container_id": it.container_id, "net_id": it.network_id, "rate": it.rate}


def _decode_bound(row: Any) -> Bound:
    return Bound(row.container_id, NetworkId(row.net_id), row.rate)


def _encode_spare(it: Spare, _row: RowOf) -> Columns:
    made = {"spare_id": it.id, "mac": it.mac, "mtu": it.mtu, "offload": it.offload}
    return {**made, "created_at": repr(float(it.created_at))}


def _decode_spare(row: Any) -> Spare:
    return Spare(EndpointId(row.spare_id), parse_mac(row.mac), row.mtu, row.offload, float(row.created_at))


# ---------------------------------------------------------------- addresses


def _encode_pool(it: Pool, _row: RowOf) -> Columns:
    return {
        "pool_id": it.id,
        "space": it.space,
        "subnet": str(it.subnet),
        "sub_range": maybe(it.sub_range),
        "cursor": maybe(it.cursor),
        "created_at": repr(float(it.created_at)),
    }


def _decode_pool(row: Any) -> Pool:
    return Pool(
        id=PoolId(row.pool_id),
        space=row.space,
        subnet=ip_network(row.subnet),
        sub_range=only(row.sub_range, ip_network),
        cursor=only(row.cursor, ip_address),
        created_at=float(row.created_at),
    )


def _encode_allocation(it: Allocation, row: RowOf) -> Columns:
    return {
        "pool": row(Pool, it.pool_id),
        "address": str(it.address),
        "kind": str(it.kind),
        "holder": it.holder,
        "released_at": [] if it.released_at is None else [repr(float(it.released_at))],
        "created_at": repr(float(it.created_at)),
        "pinned": it.pinned,
    }


def _decode_allocation(row: Any) -> Allocation:
    return Allocation(
        pool_id=PoolId(row.pool.pool_id),
        address=ip_address(row.address),
        kind=AllocationKind(row.kind),
        holder=row.holder,
        released_at=only(row.released_at, float),
        created_at=float(row.created_at),
        pinned=row.pinned,
    )


# ---------------------------------------------------------------- counters


def _encode_counters(it: Counters, _row: RowOf) -> Columns:
    return {"mac_prefix": it.mac_prefix, "mac_next": it.mac_next, "ula_prefix": it.ula_prefix}


def _decode_counters(row: Any) -> Counters:
    return Counters(mac_prefix=row.mac_prefix, mac_next=row.mac_next, ula_prefix=row.ula_prefix)


# ---------------------------------------------------------------- rules


def _broken(after: State, edits: Edits) -> Iterable[str]:
    yield from vnis_used_twice(after.networks, edits.get(Network, {}))
    yield from _widows(after, edits.get(Network, {}))
    yield from _strays(after, edits.get(Pool, {}))
    for endpoint in edits.get(Endpoint, {}).values():
        if isinstance(endpoint, Endpoint) and endpoint.network_id not in after.networks:
            yield f"endpoint {shown(endpoint.id)} names network {shown(endpoint.network_id)}: it is missing"
    for attachment in edits.get(Attachment, {}).values():
        if isinstance(attachment, Attachment) and attachment.network_id and attachment.id not in after.endpoints:
            yield f"interface {attachment.title} is on network {shown(attachment.network_id)}: its endpoint is missing"
    for allocation in edits.get(Allocation, {}).values():
        if isinstance(allocation, Allocation) and allocation.pool_id not in after.pools:
            yield f"address {allocation.address} is in pool {allocation.pool_id}, which is not there"


def _widows(after: State, networks: Mapping[Any, Value | None]) -> Iterable[str]:
    gone = {key for key, value in networks.items() if value is None}
    for endpoint in after.endpoints.values() if gone else ():
        if endpoint.network_id in gone:
            yield f"network {shown(endpoint.network_id)} cannot go: endpoint {endpoint.title} is on it"
    for attachment in after.attachments.values() if gone else ():
        if attachment.network_id in gone:
            yield f"network {shown(attachment.network_id)} cannot go: interface {attachment.title} is on it"


def _strays(after: State, pools: Mapping[Any, Value | None]) -> Iterable[str]:
    gone = {key for key, value in pools.items() if value is None}
    for allocation in after.allocations.values() if gone else ():
        if allocation.pool_id in gone:
            yield f"pool {allocation.pool_id} cannot go: address {allocation.address} is still known in it"


_VITAL_OF_NETWORKS: Final = frozenset({"uplink", "exposed", "rate", "domain", "space_number"})

LOCAL: Final = Vocabulary(
    database="OVSNet",
    schema_file="ovsnet.ovsschema",
    empty=State,
    shapes=MappingProxyType(
        {
            Network: Shape("Network", _encode_network, _decode_network, vital=_VITAL_OF_NETWORKS),
            Pool: Shape("Pool", _encode_pool, _decode_pool),
            Endpoint: Shape(
                "Endpoint", _encode_endpoint, _decode_endpoint, vital=frozenset({"rate", "published", "spare"})
            ),
            Allocation: Shape("Allocation", _encode_allocation, _decode_allocation),
            Counters: Shape("Global", _encode_counters, _decode_counters),
            Uplink: Shape("Uplink", encode_uplink, decode_uplink),
            Attachment: Shape("Attachment", encode_attachment, decode_attachment),
            Bound: Shape("Bound", _encode_bound, _decode_bound),
            Spare: Shape("Spare", _encode_spare, _decode_spare),
            Export: Shape("Export", encode_export, decode_export),
            Import: Shape("Import", encode_import, decode_import),
        }
    ),
    fields=MappingProxyType(
        {
            Network: "networks",
            Pool: "pools",
            Endpoint: "endpoints",
            Allocation: "allocations",
            Uplink: "uplinks",
            Attachment: "attachments",
            Bound: "bounds",
            Spare: "spares",
            Export: "exports",
            Import: "imports",
        }
    ),
    single=MappingProxyType({Counters: "counters"}),
    broken=_broken,
    upgraded="when its server starts anew: systemctl restart ovsnet-store",
    parents=MappingProxyType(
        {
            Endpoint: (Parent(Network, lambda it: it.network_id),),
            Allocation: (Parent(Pool, lambda it: it.pool_id),),
        }
    ),
)
