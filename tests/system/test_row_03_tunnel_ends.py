"""Row 3: no container gets a frame into a network by sending to the hosts' tunnels itself.

        h1                    h2
web     c1 (the cheat)
db      d1                    d2
"""

from collections.abc import Iterator, Mapping

import pytest
from tests.functional.pipeline_frames import IPV4, ethernet, vxlan
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.system.parties import RAW_SOCKET, Party, frames_as, heard_until, on_two_networks
from tests.system.traces import clean

PLACES = {"c1": ("web", 0), "d1": ("db", 0), "d2": ("db", 1)}
DATAGRAM = (
    "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    ".sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 4789))"
)

Parties = Mapping[str, Party]


@pytest.fixture(scope="module")
def parties(session_cluster: Cluster) -> Iterator[Parties]:
    yield on_two_networks(session_cluster, PLACES)
    for host in session_cluster.hosts:
        clean(host)
    session_cluster.tidy_up()


def vni_of(cluster: Cluster, network: str) -> int:
    return int(next(it["vni"] for it in cluster.ask(cluster.hosts[0], "networks") if it["name"] == network))


def way_out(container: Container) -> tuple[str, str, str]:
    """Its interface to Docker's gateway bridge, that one's MAC, and the gateway's."""
    (route,) = container.inside("ip", "-j", "-4", "route", "show", "default").json()
    device, gateway = route["dev"], route["gateway"]
    assert container.pings(gateway)
    (entry,) = container.inside("ip", "-j", "neigh", "show", gateway).json()
    return device, container.inside("cat", f"/sys/class/net/{device}/address").stdout.strip(), entry["lladdr"]


@pytest.mark.row(3)
@pytest.mark.parametrize(("victim", "friend"), [("d1", "d2"), ("d2", "d1")], ids=["own-host", "other-host"])
def test_no_container_puts_a_frame_into_a_tunnel(
    parties: Parties, session_cluster: Cluster, victim: str, friend: str
) -> None:
    """As itself, which its host hides behind its own address, and with the address of each host as its source."""
    cheat, there, pretended = parties["c1"], parties[victim], parties[friend]
    vni, vteps = vni_of(session_cluster, "db"), [session_cluster.address(it) for it in session_cluster.hosts]
    target = session_cluster.address(session_cluster.hosts[PLACES[victim][1]])
    device, mac, gateway = way_out(cheat.container)

    def sends() -> None:
        for name, frame in frames_as(pretended.mac, pretended.ipv4, pretended.ipv6, there).items():
            inner = frame + f" forged-plain-{name} ".encode()
            header = b"\x08" + bytes(3) + vni.to_bytes(3) + b"\0"
            cheat.container.inside("python3", "-c", DATAGRAM, target, (header + inner).hex())
            for number, source in enumerate(vteps, 1):
                packet = vxlan(source, target, vni, frame + f" forged-as-{number}-{name} ".encode())
                cheat.container.inside(*RAW_SOCKET, "send", device, ethernet(gateway, mac, IPV4, packet).hex())
        pretended.tells(there, "end")

    assert heard_until(sends, cheat, there, {}) == set()
