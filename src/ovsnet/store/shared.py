"""What the hosts of a cluster share (cluster.ovsschema). Pure.

A host may write the rows that carry its name (RBAC compares the column with its certificate). The reference to its
member's row stands beside the name: a host that was taken out of the cluster has no such row and can write nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any, Final

from ovsnet.model.cluster import (
    Beat,
    Cluster,
    ClusterInfo,
    Encapsulation,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    Role,
    SharedNetwork,
    Token,
)
from ovsnet.model.ids import EndpointId, HostName, SharedId, interned, parse_mac
from ovsnet.model.network import Multicast
from ovsnet.ovsdb.replica import Only
from ovsnet.store.changes import vnis_used_twice
from ovsnet.store.codec import (
    decode_labels,
    decode_listening,
    decode_names,
    decode_network,
    encode_labels,
    encode_listening,
    encode_names,
    encode_network,
    maybe,
    only,
)
from ovsnet.store.vocabulary import Columns, Edits, Kind, Parent, RowOf, Shape, Vocabulary

# ---------------------------------------------------------------- cluster and members


def _encode_info(it: ClusterInfo, _row: RowOf) -> Columns:
    return {
        "cluster_id": it.id,
        "udp_port": it.udp_port,
        "encapsulation": "" if it.encapsulation is Encapsulation.VXLAN else str(it.encapsulation),
        "generation": it.generation,
        "created_at": repr(float(it.created_at)),
    }


def _decode_info(row: Any) -> ClusterInfo:
    return ClusterInfo(
        id=row.cluster_id,
        udp_port=row.udp_port,
        generation=row.generation,
        created_at=float(row.created_at),
        # Nothing is VXLAN: so reads the row of a cluster that was begun before there was a choice.
        encapsulation=Encapsulation(row.encapsulation or Encapsulation.VXLAN),
    )


def _encode_member(it: Member, _row: RowOf) -> Columns:
    return {
        "name": it.name,
        "address": str(it.address),
        "vtep": str(it.vtep),
        "mtu": it.mtu,
        "trunk_mtu": it.trunk_mtu,
        "role": str(it.role),
        "version": it.version,
        "subnets": sorted(map(str, it.subnets)),
        "joined_at": repr(float(it.joined_at)),
    }


def _decode_member(row: Any) -> Member:
    return Member(
        name=HostName(row.name),
        address=ip_address(row.address),
        vtep=interned(ip_address(row.vtep)),
        mtu=row.mtu,
        trunk_mtu=row.trunk_mtu,
        role=Role(row.role),
        version=row.version,
        subnets=tuple(ip_network(it) for it in sorted(row.subnets)),
        joined_at=float(row.joined_at),
    )


def _encode_beat(it: Beat, row: RowOf) -> Columns:
    return {**_owner(it.host, row), "count": it.count}


def _decode_beat(row: Any) -> Beat:
    return Beat(host=_host(row), count=row.count)


def _encode_token(it: Token, row: RowOf) -> Columns:
    return {**_owner(it.host, row), "digest": it.digest, "expires_at": repr(float(it.expires_at))}


def _decode_token(row: Any) -> Token:
    return Token(digest=row.digest, host=_host(row), expires_at=float(row.expires_at))


# ---------------------------------------------------------------- networks and what is on them


def _encode_network(it: SharedNetwork, _row: RowOf) -> Columns:
    return {
        **encode_network(it),
        "origin": it.origin,
        "asked": encode_labels(it.asked),
        "range4": maybe(it.range4),
        "range6": maybe(it.range6),
        "reserved": sorted(map(str, it.reserved)),
    }


def _decode_network(row: Any) -> SharedNetwork:
    network = _network_of(row)
    asked = dict(network.asked).get("multicast", "")
    if row.multicast or not asked:
        return network
    # Made while the database had no such column yet, by a host that knew the option already.
    return replace(network, options=replace(network.options, multicast=Multicast(asked)))


def _network_of(row: Any) -> SharedNetwork:
    return SharedNetwork(
        id=SharedId(row.net_id),
        origin=HostName(row.origin),
        asked=decode_labels(row.asked),
        range4=only(row.range4, IPv4Network),
        range6=only(row.range6, IPv6Network),
        reserved=tuple(ip_address(it) for it in sorted(row.reserved)),
        **decode_network(row),
    )


def _encode_lease(it: Lease, row: RowOf) -> Columns:
    return {**_owner(it.host, row), "network": it.network, "address": str(it.address)}


def _decode_lease(row: Any) -> Lease:
    return Lease(network=SharedId(row.network), address=ip_address(row.address), host=_host(row))


def _encode_endpoint(it: RemoteEndpoint, row: RowOf) -> Columns:
    return {
        **_owner(it.host, row),
        "endpoint_id": it.id,
        "network": row(SharedNetwork, it.network),
        "mac": it.mac,
        "ipv4": maybe(it.ipv4),
        "ipv6": maybe(it.ipv6),
        "names": encode_names(it.names),
        "listens": encode_listening(it.listens),
        "created_at": repr(float(it.created_at)),
    }


def _decode_endpoint(row: Any) -> RemoteEndpoint:
    return RemoteEndpoint(
        id=EndpointId(row.endpoint_id),
        network=SharedId(row.network.net_id),
        host=_host(row),
        mac=parse_mac(row.mac),
        ipv4=only(row.ipv4, IPv4Address),
        ipv6=only(row.ipv6, IPv6Address),
        names=decode_names(row.names),
        listens=decode_listening(row.listens),
        created_at=float(row.created_at),
    )


def _encode_record(it: Record, row: RowOf) -> Columns:
    return {**_owner(it.host, row), "network": it.network, "name": it.name, "address": str(it.address)}


def _decode_record(row: Any) -> Record:
    return Record(name=row.name, address=ip_address(row.address), host=_host(row), network=SharedId(row.network))


def _host(row: Any) -> HostName:
    """RBAC compares the name with the certificate and cannot follow the reference: one that lies is nobody's row."""
    if row.member.name != row.host:
        raise ValueError(f"it bears the name of {row.host} and belongs to {row.member.name}")
    return HostName(row.host)


def _owner(host: HostName, row: RowOf) -> Columns:
    return {"host": host, "member": row(Member, host)}


# ---------------------------------------------------------------- rules


def _broken(after: Cluster, edits: Edits) -> Iterable[str]:
    yield from vnis_used_twice(after.networks, edits.get(SharedNetwork, {}))
    yield from _shared_vteps(after, edits.get(Member, {}))
    for endpoint in edits.get(RemoteEndpoint, {}).values():
        if endpoint is not None and endpoint.network not in after.networks:
            yield f"an endpoint names the network {endpoint.network[:12]}, which is not there"
    for kind in (RemoteEndpoint, Lease, Beat, Token, Record):
        for value in edits.get(kind, {}).values():
            if value is not None and value.host not in after.members:
                yield f"host {value.host} is not a member of the cluster; join it with 'ovsnet cluster join'"
    yield from _still_used(after, edits)


def _shared_vteps(after: Cluster, members: Mapping[Any, Any]) -> Iterable[str]:
    for member in (it for it in members.values() if it is not None):
        for other in after.members.values():
            if other.vtep == member.vtep and other.name != member.name:
                yield f"host {member.name} cannot have the tunnel address {member.vtep}: host {other.name} has it"


def _still_used(after: Cluster, edits: Edits) -> Iterable[str]:
    """References of a database row keep what they name from going."""
    lost = {key for key, value in edits.get(SharedNetwork, {}).items() if value is None}
    for endpoint in after.endpoints.values() if lost else ():
        if endpoint.network in lost:
            name = endpoint.names[0] if endpoint.names else endpoint.id[:12]
            yield f"the network cannot go: container {name} of host {endpoint.host} is on it"
    gone = {key for key, value in edits.get(Member, {}).items() if value is None}
    for mapping in (after.endpoints, after.leases, after.beats, after.tokens, after.records) if gone else ():
        for value in mapping.values():
            if value.host in gone:
                yield f"member {value.host} cannot go: {type(value).__name__.lower()} rows of it are there"


# ---------------------------------------------------------------- a part of it


def rows_about(networks: Collection[SharedId], hosts: Collection[HostName], row_of: RowOf) -> Only:
    """Of endpoints and leases, which may be very many, those on these networks and those of these hosts."""
    of_hosts = [("host", "==", it) for it in sorted(hosts)]
    ordered = sorted(networks)
    return {
        "Endpoint": [*of_hosts, *(("network", "==", ("uuid", str(row_of(SharedNetwork, it)))) for it in ordered)],
        "Lease": [*of_hosts, *(("network", "==", it) for it in ordered)],
    }


def _member_of(kind: Kind) -> tuple[Kind, tuple[Parent, ...]]:
    return kind, (Parent(Member, lambda it: it.host),)


_VITAL_OF_NETWORKS: Final = frozenset({"space", "rate", "domain"})

SHARED: Final = Vocabulary(
    database="OVSNet_Cluster",
    schema_file="cluster.ovsschema",
    empty=Cluster,
    shapes=MappingProxyType(
        {
            ClusterInfo: Shape("Cluster", _encode_info, _decode_info, vital=frozenset({"encapsulation"})),
            Member: Shape("Member", _encode_member, _decode_member),
            SharedNetwork: Shape("Network", _encode_network, _decode_network, vital=_VITAL_OF_NETWORKS),
            Lease: Shape("Lease", _encode_lease, _decode_lease),
            RemoteEndpoint: Shape("Endpoint", _encode_endpoint, _decode_endpoint),
            Beat: Shape("Beat", _encode_beat, _decode_beat),
            Token: Shape("Token", _encode_token, _decode_token),
            Record: Shape("Record", _encode_record, _decode_record),
        }
    ),
    fields=MappingProxyType(
        {
            Member: "members",
            SharedNetwork: "networks",
            Lease: "leases",
            RemoteEndpoint: "endpoints",
            Beat: "beats",
            Token: "tokens",
            Record: "records",
        }
    ),
    single=MappingProxyType({ClusterInfo: "info"}),
    broken=_broken,
    parents=MappingProxyType(
        {
            **dict(map(_member_of, (Lease, Beat, Token, Record))),
            RemoteEndpoint: (Parent(Member, lambda it: it.host), Parent(SharedNetwork, lambda it: it.network)),
        }
    ),
)
