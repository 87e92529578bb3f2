"""A small cluster as host `a` sees it: network `web` on both hosts, `db` too, `own` only here."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from ovsnet.model.cluster import Cluster, Record, RemoteEndpoint, SharedNetwork
from ovsnet.model.ids import EndpointId, HostName, Mac, NetworkId, SharedId, Vni
from ovsnet.model.network import Network, NetworkOptions
from ovsnet.model.state import State
from tests.states import DB, WEB, endpoint, state

A, B, C = HostName("a"), HostName("b"), HostName("c")
WEB_SHARED, DB_SHARED = SharedId("5a" * 32), SharedId("5b" * 32)
HERE_WEB = replace(WEB, shared=WEB_SHARED, options=NetworkOptions(mtu=1450))
HERE_DB = replace(DB, shared=DB_SHARED)
OWN = Network(id=NetworkId("c3" * 32), vni=Vni(12), name="own", ipv4=IPv4Network("10.40.0.0/24"))

ON_WEB = replace(endpoint(1, HERE_WEB), sandbox="/run/netns/one", compose_service="front")
ALSO_ON_DB = replace(endpoint(2, HERE_DB), sandbox="/run/netns/one", container_name="c1")
ON_DB = replace(endpoint(3, HERE_DB), sandbox="/run/netns/three")
ON_OWN = replace(endpoint(4, OWN), sandbox="/run/netns/four")
LOCAL = state(HERE_WEB, HERE_DB, OWN, ON_WEB, ALSO_ON_DB, ON_DB, ON_OWN)

SHARED = {
    WEB_SHARED: SharedNetwork(WEB_SHARED, Vni(10), A, ipv4=WEB.ipv4, ipv6=WEB.ipv6, name="web"),
    DB_SHARED: SharedNetwork(DB_SHARED, Vni(11), A, ipv4=DB.ipv4, name="db"),
}


def remote(number: int, *names: str, network: SharedId = WEB_SHARED, host: HostName = B) -> RemoteEndpoint:
    """An endpoint that another host published; its addresses are made from the number."""
    web = network == WEB_SHARED
    return RemoteEndpoint(
        id=EndpointId(f"{number:02x}" * 32),
        network=network,
        host=host,
        mac=Mac(f"0a:00:00:00:01:{number:02x}"),
        ipv4=IPv4Address(f"10.{20 if web else 30}.0.{number}"),
        ipv6=IPv6Address(f"fd00:20::{number:x}") if web else None,
        names=names,
    )


def cluster(*values: RemoteEndpoint | Record) -> Cluster:
    """The cluster with these beside its two networks."""
    return Cluster(
        networks=SHARED,
        endpoints={it.id: it for it in values if isinstance(it, RemoteEndpoint)},
        records={it.key: it for it in values if isinstance(it, Record)},
    )


def alone(local: State = LOCAL) -> tuple[State, Cluster]:
    """This host, and nobody else has anything."""
    return local, cluster()
