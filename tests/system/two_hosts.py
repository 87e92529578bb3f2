"""Two hosts that are one cluster, whose tunnels leave by a bridge that holds the NIC, and a network between them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.rig.cluster import TUNNEL_SEGMENT, Cluster, Wiring
from tests.rig.rig import Rig, Shape
from tests.system.parties import Party, party
from tests.system.traces import clean

NETWORK = "web"


@contextmanager
def two_hosts(rig: Rig, vni: int, *options: str, wiring: Wiring = TUNNEL_SEGMENT) -> Iterator[Cluster]:
    """`options` are the agents', `wiring` is the rig's. Nothing may be wrong with a host at the end."""
    cluster = Cluster.of(rig, 2, *options, shape=Shape(vtep=True), wiring=wiring)
    cluster.network(NETWORK, "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64", "-o", f"vni={vni}")
    yield cluster
    for host in cluster.hosts:
        clean(host)
    cluster.down()


def pair_of(cluster: Cluster) -> tuple[Party, Party]:
    """A container on each."""
    one, other = (party(it.start_container(f"c-{it.name}", network=NETWORK), NETWORK) for it in cluster.hosts)
    return one, other
