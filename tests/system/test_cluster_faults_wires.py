"""The wire below the tunnels fails, while the database and the agents reach each other by another one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.rig.cluster import Cluster, Wiring
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import run, wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.faults import HEALED, NETWORK, Crossing, between, lossless
from tests.system.networks import ask, create

APART = Wiring(address="172.31.0.", vtep="eth1")
NARROW = 1300


@pytest.fixture(scope="module")
def crossing(rig: Rig) -> Iterator[Crossing]:
    cluster = Cluster.of(rig, 3, "--set", "path_period=2", wiring=APART)
    yield Crossing(cluster)
    cluster.down()


@contextmanager
def cable(host: NamespaceHost, crossing: Crossing, *broken: str) -> Iterator[None]:
    """The cable of the tunnels, at its far end, with these attributes while the block runs."""
    name = f"v{host.name.removeprefix('h')}"
    link = ("ip", "-n", f"{crossing.cluster.rig.name}-net", "link", "set", name)
    run(*link, *broken)
    try:
        yield
    finally:
        run(*link, "up", "mtu", "1500")


def warned(host: NamespaceHost, *words: str) -> bool:
    """Whether the host's status has a warning with all these words."""
    return any(all(word in said for word in words) for said in ask(host, "status")["warnings"])


@pytest.mark.row(60, 90)
def test_a_cut_of_the_tunnels_alone_is_told_and_heals_by_itself(crossing: Crossing, figures: Figures) -> None:
    cluster = crossing.cluster
    one, other, cut = cluster.hosts
    neighbour, _ = crossing.starts(cut, "neighbour")
    crossing.well()

    with crossing.traffic(one, other) as floods, between(neighbour, crossing.of(cut)) as local:
        with cable(cut, crossing, "down"):
            began = time.monotonic()
            assert create(cut, "made-in-the-cut").ok
            fresh, started = crossing.starts(cut, "started-in-the-cut")
            assert fresh.pings(neighbour.address(NETWORK))
            for here, there in ((one, cut), (cut, one)):
                told = f"from host {here.name}", f"to host {there.name}"
                wait_until(lambda at=here, it=told: warned(at, "Nothing gets", *it), HEALED, "the cut is told")  # type: ignore[misc]
            noticed = time.monotonic() - began
            dead = [cluster.status(host)["dead"] for host in cluster.hosts]
        healed = crossing.all_reach_all()
        crossing.well()

    sent = lossless(floods) + lossless(local)
    figures["datagrams lost on either side of a cut of the tunnels"] = f"0 of {sent}"
    figures["a cut of the tunnels is told after, s (path_period=2)"] = round(noticed, 1)
    figures["docker run on the host without tunnels, s"] = started
    figures["everybody reached everybody after the cable was back, s"] = healed
    assert dead == [[], [], []]


@pytest.mark.long
@pytest.mark.row(61, 90)
def test_a_way_that_is_narrower_than_what_was_agreed_is_told(crossing: Crossing, figures: Figures) -> None:
    one, narrow, _ = crossing.cluster.hosts
    there = crossing.of(narrow).address(NETWORK)
    assert whole(crossing.of(one), there, 1450)

    with cable(narrow, crossing, "mtu", str(NARROW)):
        began = time.monotonic()
        for here, at in ((one, narrow), (narrow, one)):
            told = (
                f"at most {NARROW} bytes",
                f"from host {here.name}",
                f"to host {at.name}",
                "up to 1500",
                "-o mtu=1250",
            )
            wait_until(lambda host=here, it=told: warned(host, *it), HEALED, "the narrow way is told")  # type: ignore[misc]
        figures["a narrow way is told after, s (path_period=2)"] = round(time.monotonic() - began, 1)
        assert whole(crossing.of(one), there, 1250)
        assert not whole(crossing.of(one), there, 1300)
    crossing.well()
    assert whole(crossing.of(one), there, 1450)


def whole(container: Container, to: str, size: int) -> bool:
    """Whether a packet of this size (with its IP header) is answered."""
    ping = ("ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", "-M", "do", "-s", str(size - 28), to)
    return container.inside(*ping, check=False).ok
