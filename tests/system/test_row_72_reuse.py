"""Row 72: what was released is not remembered by the wrong people: addresses rest, MACs never return."""

import ipaddress
from collections import Counter
from functools import partial

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import clean

DUAL_STACK = ("10.72.0.0/24", "--ipv6", "--subnet", "fd00:72::/64", "-o", "egress=none")
FLOATING = ("10.72.0.50", "fd00:72::50")
RESTARTED, TIMES = 6, 5


def passing_address(host: NamespaceHost, network: str) -> str:
    """The address of a container that runs and is gone."""
    show = ("ip", "-4", "-o", "addr", "show", "eth0")
    said = host.docker("run", "--rm", "--network", network, "busybox:local", *show).stdout
    return said.split("inet ")[1].partition("/")[0]


@pytest.mark.row(72)
def test_a_released_address_rests_until_nothing_else_is_free(host: NamespaceHost) -> None:
    networks.create(host, "tiny", "10.74.0.0/29", "-o", "egress=none")

    given = [passing_address(host, "tiny") for _ in range(6)]

    assert len(set(given[:5])) == 5
    assert given[5] == given[0], "the one that rested longest"


@pytest.mark.row(72)
@pytest.mark.long
def test_macs_never_return_over_thirty_restarts_and_do_not_tell_the_address(host: NamespaceHost) -> None:
    networks.create(host, "web", *DUAL_STACK)
    names = [f"c{number}" for number in range(RESTARTED)]
    run = "docker run -d --init --name cN --network web --ip 10.72.0.10N busybox:local sleep 1000000 >/dev/null"
    host.shell(f"seq 0 {RESTARTED - 1} | xargs -P {RESTARTED} -I N {run}")
    seen = Counter(macs(host))

    for _ in range(TIMES):
        host.shell(f"printf '%s\\n' {' '.join(names)} | xargs -P {RESTARTED} -n 1 docker restart -t 1")
        seen.update(macs(host))

    assert len(seen) == RESTARTED * (TIMES + 1)
    assert set(seen.values()) == {1}
    octets = {bytes.fromhex(it.replace(":", "")) for it in seen}
    assert all(it[0] & 0b11 == 0b10 for it in octets), "locally administered, of one station"
    addresses = {ipaddress.ip_address(f"10.72.0.10{number}").packed for number in range(RESTARTED)}
    assert not any(it[2:] in addresses for it in octets)
    clean(host)


def macs(host: NamespaceHost) -> list[str]:
    listed = host.docker("network", "inspect", "web").json()[0]["Containers"].values()
    return [it["MacAddress"] for it in listed]


@pytest.mark.row(72)
def test_an_address_that_moved_to_another_container_is_reached_there_at_once(host: NamespaceHost) -> None:
    """A peer remembers the old holder's MAC; nothing but our announcement tells it better."""
    networks.create(host, "web", *DUAL_STACK)
    peer = host.start_container("peer", network="web")
    for name in ("first", "second", "third"):
        holder = host.start_container(name, "--ip", FLOATING[0], "--ip6", FLOATING[1], network="web")
        mac = holder.mac("web")
        # The container's own kernel makes sure of its IPv6 address first (RFC 4862 5.4), on engines that let it.
        wait_until(partial(assured, holder), 5, "an assured IPv6 address")

        assert peer.pings(FLOATING[0])
        assert peer.pings(FLOATING[1])
        assert [neighbour(peer, it) for it in FLOATING] == [mac, mac]
        holder.remove()
    clean(host)


def assured(container: Container) -> bool:
    return "tentative" not in container.inside("ip", "-6", "addr", "show", "dev", "eth0").stdout


def neighbour(asker: Container, address: str) -> str:
    """The MAC that a container's kernel remembers for an address."""
    known = asker.inside("ip", "-j", "neigh", "show", address).json()
    return str(known[0].get("lladdr", ""))
