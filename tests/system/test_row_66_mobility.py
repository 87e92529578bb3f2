"""Row 66: an address moves with what has it, from host to host, and nobody goes on sending to the old place."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rig.spawned import Spawned
from tests.rows import Figures
from tests.system.networks import ask
from tests.system.reach import answered_again, answers
from tests.system.together import await_on_all, together
from tests.system.traces import clean

pytestmark = pytest.mark.row(66)

WITHIN = 2.0
"""Seconds from the start on another host until a third one reaches it there (row 66)."""
CHURN = str(Path(__file__).with_name("churn.py"))
PORT = "5266"
PINNED = "10.66.0.50"
ADDRESSES = ("10.66.0.2", "10.66.0.3", "10.66.0.4")
ASKERS = ("10.66.0.10", "10.66.0.11", "10.66.0.12")
PATIENCE = "10"


def mentions(host: Host, mac: str) -> Sequence[str]:
    """Where a host still knows a MAC: its switch, the kernel's tunnels, or what it was told by others."""
    script = (
        "ovs-ofctl -O OpenFlow15 --no-stats dump-flows br-ovsnet; ovs-ofctl -O OpenFlow15 dump-groups br-ovsnet; "
        "bridge fdb show; ovsdb-client dump unix:/run/ovsnet/cluster.sock OVSNet_Cluster Endpoint"
    )
    return [line for line in host.shell(script).stdout.splitlines() if mac in line]


def forgot(host: Host, mac: str) -> bool:
    return not mentions(host, mac)


def published(host: Host) -> int:
    found: int = ask(host, "cluster")["endpoints"]
    return found


@pytest.mark.row(72)
def test_a_container_that_moves_with_name_and_address_is_reached_at_its_new_place_at_once(
    cluster: Cluster, figures: Figures
) -> None:
    a, b, c = cluster.hosts
    cluster.network("web", "10.66.0.0/24", "-o", "egress=none")
    moved = a.start_container("db", "--ip", PINNED, network="web")  # before others may get the address
    asker = c.start_container("asker", network="web")
    answers(asker, PINNED)
    gaps = []

    for source, target in ((a, b), (b, c), (c, a)):
        old = moved.mac("web")
        began = time.monotonic()
        source.docker("rm", "-f", "db")
        moved = target.start_container("db", "--ip", PINNED, network="web")
        reached = answered_again(asker, (PINNED,), f"the move to {target.name}", WITHIN)
        gaps.append((round(time.monotonic() - began, 1), reached))

        assert moved.mac("web") != old
        await_on_all(cluster.hosts, partial(forgot, mac=old), WITHIN, "no word of the old place")
        together(clean, cluster.hosts)
        assert asker.inside("ip", "-j", "neigh", "show", PINNED).json()[0].get("lladdr") == moved.mac("web")
    figures["seconds from the start on another host until it is reached there"] = max(it[1] for it in gaps)
    figures["seconds from the stop on one host to the answer from another"] = max(it[0] for it in gaps)


@pytest.mark.row(71)
def test_who_was_stopped_and_whose_address_has_moved_is_refused_its_start(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    cluster.network("web", "10.66.0.0/24", "-o", "egress=none")
    left = a.start_container("db", "--ip", PINNED, network="web")
    left.stop()
    moved = b.start_container("db", "--ip", PINNED, network="web")
    # Its name comes a moment after its address, when its engine tells.
    where = f"held by container db on host {b.name}"

    wait_until(lambda: where in a.docker("start", "db", check=False).stderr, 5, "a refusal that says where it is")

    assert not left.inspect()["State"]["Running"]
    asker = c.start_container("asker", network="web")
    answers(asker, PINNED)
    moved.stop()
    left.start()
    answered_again(asker, (PINNED,), "the way back", WITHIN)


@dataclass(frozen=True, slots=True)
class Served:
    """A container with a server inside its network namespace."""

    container: Container
    server: Spawned

    @property
    def name(self) -> str:
        return self.container.name


def serve(round_: str, home: tuple[Host, str]) -> Served:
    """A container at an address; its name says which round it is of."""
    host, address = home
    name = f"{round_}-{address}"
    container = host.start_container(name, "--ip", address, network="web")
    server = container.spawn_inside("python3", CHURN, "serve", name, PORT, label="serve")
    server.wait_for_output("serving")
    return Served(container, server)


def ended(served: Served) -> Sequence[str]:
    """Take it away; the frames that came to it and were for somebody else."""
    served.container.remove()
    return list(json.loads(served.server.stop("TERM").stdout.splitlines()[-1]))


def said(asker: Container) -> Mapping[str, Any]:
    """Address → who answered there."""
    lines = asker.inside("python3", CHURN, "ask", PORT, PATIENCE, *ADDRESSES).stdout.splitlines()
    return {it["address"]: it for it in map(json.loads, lines)}


def churn(cluster: Cluster, rounds: int) -> tuple[Sequence[str], float]:
    """In each round three containers are made anew, each with the address one of another host had a moment ago.

    What came to somebody it was not for, and the longest time until everybody answered.
    """
    askers = [
        host.start_container("asker", "--ip", address, network="web")
        for host, address in zip(cluster.hosts, ASKERS, strict=True)
    ]
    strays: list[str] = []
    slowest = 0.0
    for number in range(rounds):
        place = [ADDRESSES[(number + it) % len(ADDRESSES)] for it in range(len(cluster.hosts))]
        homes = list(zip(cluster.hosts, place, strict=True))
        living = together(partial(serve, f"r{number}"), homes)
        for heard in together(said, askers):
            for address, answer in heard.items():
                assert (answer["udp"], answer["tcp"]) == (f"r{number}-{address}",) * 2, (number, heard)
                slowest = max(slowest, answer["seconds"])
        strays += [frame for frames in together(ended, living) for frame in frames]
    return strays, slowest


@pytest.mark.parametrize("rounds", [8, pytest.param(167, marks=pytest.mark.matrix)])
def test_nobody_hears_what_is_for_another_while_addresses_wander_over_three_hosts(
    cluster: Cluster, figures: Figures, rounds: int
) -> None:
    """As in moby issue 52661: addresses are reused at once, elsewhere, and who asks gets the right one's answer."""
    cluster.network("web", "10.66.0.0/28", "-o", "egress=none")

    strays, slowest = churn(cluster, rounds)

    assert strays == []
    await_on_all(cluster.hosts, lambda host: published(host) == len(cluster.hosts), 5, "nobody but the askers")
    together(clean, cluster.hosts)
    figures[f"{3 * rounds} re-creations with reused addresses: misdelivered frames"] = len(strays)
    figures["slowest first answer of a new container by UDP and TCP, seconds"] = round(slowest, 2)
