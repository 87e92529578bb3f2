"""Any values a store may be given, for hypothesis: they fit together, but are as odd as the types allow."""

from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from hypothesis import strategies as st

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.attachment import Attachment, Tagging, Target, TargetKind
from ovsnet.model.bound import Bound
from ovsnet.model.datapath import Datapath
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import LAST_PRIORITY, Medium, Route, Rule
from ovsnet.model.ids import MAX_VNI, EndpointId, IpNetwork, Mac, NetworkId, PoolId, Vlan, Vni
from ovsnet.model.listening import EVERYTHING, MUTED, to_groups
from ovsnet.model.network import Egress, Mode, Multicast, Network, NetworkOptions, PortKind
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Export, Import
from ovsnet.model.shaping import LONGEST_DELAY, MOST_RATE, Shape
from ovsnet.model.spare import Spare
from ovsnet.model.state import Counters
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, NicSettings, Phase, Uplink
from ovsnet.store.interface import Value

ids = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=64)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
times = st.floats(allow_nan=False)
v4, v6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
nets4 = st.builds(lambda a, n: IPv4Network((a, n), strict=False), v4, st.integers(0, 32))
nets6 = st.builds(lambda a, n: IPv6Network((a, n), strict=False), v6, st.integers(0, 128))
faces4 = st.builds(lambda a, n: IPv4Interface((a, n)), v4, st.integers(0, 32))
faces6 = st.builds(lambda a, n: IPv6Interface((a, n)), v6, st.integers(0, 128))
macs = st.binary(min_size=6, max_size=6).map(lambda b: Mac((bytes([b[0] & 0xFC | 2]) + b[1:]).hex(":")))
vlans = st.integers(0, 4094).map(Vlan)
labels = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3).map(tuple)

published = st.builds(
    Publication,
    transport=st.sampled_from(Transport),
    host=v4 | v6,
    host_port=st.integers(1, 65535),
    port=st.integers(1, 65535),
)
options = st.builds(
    NetworkOptions,
    mode=st.sampled_from(Mode),
    vlan=vlans,
    mtu=st.integers(68, 65535),
    port=st.sampled_from(PortKind),
    icc=st.booleans(),
    egress=st.sampled_from(Egress),
    multicast=st.sampled_from(Multicast),
    rate=st.integers(0, 2**40),
    domain=texts,
)
options_here = st.builds(
    lambda it, uplink, dhcp, slaac: replace(it, uplink=uplink, dhcp=dhcp, slaac=slaac),
    options,
    texts,
    st.sampled_from([(), (4,), (6,), (4, 6)]),
    st.booleans(),
)
"""Of a network of one host."""
counters = st.builds(Counters, mac_prefix=texts, mac_next=st.integers(0, 2**63 - 1), ula_prefix=texts)


def _networks(network_id: str, vni: int) -> st.SearchStrategy[Network]:
    return st.builds(
        Network,
        id=st.just(NetworkId(network_id)),
        vni=st.just(Vni(vni)),
        options=options_here,
        internal=st.booleans(),
        ipv4=st.none() | nets4,
        ipv6=st.none() | nets6,
        gateway4=st.none() | st.builds(IPv4Address, st.integers(0, 2**32 - 1)),
        gateway6=st.none() | st.builds(IPv6Address, st.integers(0, 2**128 - 1)),
        name=texts,
        labels=labels,
        exposed=st.booleans(),
        space_number=st.integers(0, 254),
        created_at=times,
    )


def _endpoints(endpoint_id: str, network_id: str) -> st.SearchStrategy[Endpoint]:
    return st.builds(
        Endpoint,
        id=st.just(EndpointId(endpoint_id)),
        network_id=st.just(NetworkId(network_id)),
        mac=macs,
        ipv4=st.none() | faces4,
        ipv6=st.none() | faces6,
        vlan=st.none() | vlans,
        plugged=st.booleans(),
        sandbox=texts,
        ifname=texts,
        container_id=texts,
        container_name=texts,
        compose_service=texts,
        aliases=st.lists(st.text(max_size=9), max_size=3).map(tuple),
        names_route=st.none() | nets4,
        listens=st.sampled_from([EVERYTHING, MUTED]) | st.builds(to_groups, st.frozensets(v4 | v6, max_size=3)),
        host_ifname=texts,
        rate=st.none() | st.integers(0, 2**40),
        published=st.lists(published, max_size=3).map(tuple),
        spare=texts,
        created_at=times,
    )


targets = st.builds(Target, kind=st.sampled_from(TargetKind), id=texts, name=texts, birth=texts, service=texts)
subnets4, subnets6 = nets4.filter(lambda it: it.prefixlen > 0), nets6.filter(lambda it: it.prefixlen > 0)
hops4, hops6 = (
    it.filter(lambda hop: not (hop.is_unspecified or hop.is_multicast or hop.is_loopback)) for it in (v4, v6)
)
tables = st.integers(1, 252)
routes = (
    st.builds(Route, subnets4, st.none() | hops4)
    | st.builds(Route, subnets6, st.none() | hops6)
    | st.builds(Route, nets4, hops4, tables)
    | st.builds(Route, nets6, hops6, tables)
)


def _rules(version: int, subnets: st.SearchStrategy[IpNetwork]) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        version=st.just(version),
        table=tables,
        source=st.none() | subnets,
        destination=st.none() | subnets,
        iif=st.sampled_from(["", "eth0"]),
        mark=st.integers(1, 2**32 - 1),
        mask=st.integers(1, 2**32 - 1),
        priority=st.integers(1, LAST_PRIORITY),
    )


rules = _rules(4, subnets4) | _rules(6, subnets6)
shapes = st.builds(
    Shape,
    rate=st.integers(0, MOST_RATE),
    loss=st.integers(0, 1000).map(lambda it: it / 10),
    delay=st.integers(0, LONGEST_DELAY),
    jitter=st.integers(0, LONGEST_DELAY),
)


def _attachments(attachment_id: str, network_id: str) -> st.SearchStrategy[Attachment]:
    """On this network, or on a bridge where it is ""."""
    return st.builds(
        Attachment,
        id=st.just(EndpointId(attachment_id)),
        target=targets,
        ifname=texts,
        mac=macs,
        network_id=st.just(NetworkId(network_id)),
        bridge=st.just("") if network_id else texts,
        makes_bridge=st.booleans(),
        addresses=st.lists(faces4 | faces6, max_size=3).map(tuple),
        gateways=st.lists(v4 | v6, max_size=2).map(tuple),
        routes=st.lists(routes, max_size=2).map(tuple),
        rules=st.lists(rules, max_size=2).map(tuple),
        dhcp=st.sampled_from([(), (4,), (6,), (4, 6)]),
        slaac=st.booleans(),
        shape=shapes,
        medium=st.sampled_from(Medium),
        nic=texts,
        vlan=vlans,
        tagging=st.sampled_from(Tagging),
        trunks=st.frozensets(st.integers(1, 4094), max_size=3).map(lambda it: tuple(map(Vlan, sorted(it)))),
        mtu=st.integers(68, 65535),
        port=st.sampled_from(PortKind),
        host_ifname=texts,
        sandbox=texts,
        label=texts,
        detached=st.booleans(),
        created_at=times,
    )


def _pools(pool: str) -> st.SearchStrategy[Pool]:
    return st.builds(
        Pool,
        id=st.just(PoolId(pool)),
        space=texts,
        subnet=nets4 | nets6,
        sub_range=st.none() | nets4 | nets6,
        cursor=st.none() | v4 | v6,
        created_at=times,
    )


def _allocations(pool: str) -> st.SearchStrategy[list[Allocation]]:
    one = st.builds(
        Allocation,
        pool_id=st.just(PoolId(pool)),
        address=v4 | v6,
        kind=st.sampled_from(AllocationKind),
        holder=texts,
        released_at=st.none() | times,
        created_at=times,
        pinned=st.booleans(),
    )
    return st.lists(one, max_size=4, unique_by=lambda it: it.address)


numbers = st.integers(0, 2**32 - 1)
host_addresses = st.builds(
    HostAddress,
    address=faces4 | faces6,
    peer=st.none() | v4 | v6,
    broadcast=st.none() | v4,
    label=texts,
    scope=st.integers(0, 255),
    flags=numbers,
    metric=numbers,
    valid=numbers,
    preferred=numbers,
)
host_routes = st.builds(
    HostRoute,
    destination=nets4 | nets6,
    table=numbers,
    protocol=st.integers(0, 255),
    scope=st.integers(0, 255),
    gateway=st.none() | v4 | v6,
    metric=numbers,
    source=st.none() | v4 | v6,
    metrics=st.lists(st.tuples(st.integers(1, 17), numbers), max_size=2).map(tuple),
    expires=numbers,
)


def _uplinks(nic: str) -> st.SearchStrategy[Uplink]:
    return st.builds(
        Uplink,
        nic=st.just(nic),
        bridge=texts,
        hold=st.sampled_from(Hold),
        phase=st.sampled_from(Phase),
        datapath=st.sampled_from(Datapath),
        settings=st.builds(NicSettings, mac=macs, mtu=st.integers(0, 65535), ipv6=st.booleans(), joins=st.booleans()),
        addresses=st.lists(host_addresses, max_size=3).map(tuple),
        routes=st.lists(host_routes, max_size=3).map(tuple),
        probes=st.lists(v4 | v6, max_size=2).map(tuple),
        boot=texts,
        created_at=times,
    )


exports = st.builds(
    Export, publication=published, container_id=ids, network_id=ids.map(NetworkId), container_name=texts
)
imports = st.builds(
    Import,
    network_id=ids.map(NetworkId),
    address=v4 | v6,
    transport=st.sampled_from(Transport),
    port=st.integers(1, 65535),
    target=v4 | v6,
    target_port=st.integers(1, 65535),
)
bounds = st.builds(Bound, container_id=ids, network_id=ids.map(NetworkId), rate=st.integers(0, 2**40))

spares = st.builds(
    Spare,
    id=ids.map(EndpointId),
    mac=macs,
    mtu=st.integers(68, 65535),
    offload=st.booleans(),
    created_at=times,
)


@st.composite
def values_of_one_state(draw: st.DrawFn) -> list[Value]:
    """Networks with endpoints, pools with allocations, what is attached, uplinks, bounds, services, counters."""
    values: list[Value] = [draw(counters)]
    network_ids = draw(st.lists(ids, max_size=3, unique=True))
    vnis = draw(st.lists(st.integers(1, MAX_VNI), min_size=3, max_size=3, unique=True))
    values += [draw(_networks(it, vni)) for it, vni in zip(network_ids, vnis, strict=False)]
    if network_ids:
        endpoint_ids = draw(st.lists(ids, max_size=4, unique=True))
        for it in endpoint_ids:
            network = draw(st.sampled_from(network_ids))
            values.append(draw(_endpoints(it, network)))
            values += [draw(_attachments(it, network))] if draw(st.booleans()) else []
    values += [draw(_attachments(f"-{number}", "")) for number in range(draw(st.integers(0, 2)))]
    for pool in draw(st.lists(texts.filter(bool), max_size=2, unique=True)):
        values.append(draw(_pools(pool)))
        values += draw(_allocations(pool))
    values += [draw(_uplinks(it)) for it in draw(st.lists(texts.filter(bool), max_size=2, unique=True))]
    spare = draw(st.lists(spares, max_size=2, unique_by=lambda it: it.id))
    values += [*draw(st.lists(bounds, max_size=2, unique_by=lambda it: it.key))]
    values += [*draw(st.lists(exports, max_size=2, unique_by=lambda it: it.key))]
    return [*values, *spare, *draw(st.lists(imports, max_size=2, unique_by=lambda it: it.key))]
