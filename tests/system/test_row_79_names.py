"""Rows 79 to 82: names across hosts, asked for inside containers, by way of the engine's own resolver."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape

SERVICE = "169.254.83.83"
PATIENCE = 10.0
"""Seconds a name has to be known on the other host: the engine's event, the cluster's database."""


@pytest.fixture(scope="module")
def named(rig: Rig) -> Iterator[Cluster]:
    cluster = Cluster.of(rig, 2, shape=Shape(dockerd_args=f"--dns {SERVICE}"))
    cluster.network("web", "10.20.0.0/16")
    cluster.network("db", "10.30.0.0/16")
    yield cluster
    cluster.down()


def found(asking: Container, name: str, kind: str = "a") -> set[str]:
    """The addresses, or the name, that a program inside is told."""
    said = asking.exec("nslookup", f"-type={kind}", f"{name}.", check=False).stdout.split("\n\n", 1)[-1]
    return set(re.findall(r"(?:Address: |name = )(\S+)", said))


def learns(asking: Container, name: str, *addresses: str) -> None:
    """Wait until it is told these and no others."""
    wait_until(lambda: found(asking, name) == set(addresses), PATIENCE, f"{name} known as {addresses} to {asking.name}")


@pytest.mark.row(79, 81)
def test_name_and_alias_of_a_container_on_another_host(named: Cluster) -> None:
    here, there = named.hosts
    shop = ("--network-alias", "shop")
    with here.container("asks", network="web") as asks, there.container("far", *shop, network="web") as far:
        address = far.address("web")
        for name in ("far", "shop", "far.web", "shop.web.ovsnet.internal"):
            learns(asks, name, address)
        learns(far, "asks", asks.address("web"))
        reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
        assert found(asks, reverse, "ptr") == {"far.web.ovsnet.internal"}


@pytest.mark.row(79)
def test_names_of_networks_it_is_not_on_do_not_resolve(named: Cluster) -> None:
    here, there = named.hosts
    with (
        here.container("asks", network="web") as asks,
        here.container("other", network="db") as other,
        there.container("far", network="db") as far,
    ):
        learns(other, "far", far.address("db"))
        assert found(asks, "far.ovsnet.internal") == set()
        assert found(asks, "far.db.ovsnet.internal") == set()


@pytest.mark.row(80)
def test_all_replicas_are_told_and_one_that_died_is_not(named: Cluster, figures: dict[str, object]) -> None:
    here, there = named.hosts
    alias = ("--network-alias", "api")
    with (
        here.container("asks", network="web") as asks,
        here.container("api1", *alias, network="web") as one,
        there.container("api2", *alias, network="web") as two,
        there.container("api3", *alias, network="web") as three,
    ):
        learns(asks, "api.ovsnet.internal", *(it.address("web") for it in (one, two, three)))
        left = {it.address("web") for it in (one, three)}
        two.remove()
        began = time.monotonic()
        learns(asks, "api.ovsnet.internal", *left)
        figures["seconds until it was not told any more"] = round(time.monotonic() - began, 2)
        assert time.monotonic() - began < 5


@pytest.mark.row(79)
def test_a_container_on_two_networks_keeps_the_way_to_the_service_when_one_is_taken_away(named: Cluster) -> None:
    here, there = named.hosts
    here.docker("create", "--init", "--name", "both", "--network", "web", "busybox:local", "sleep", "1000000")
    both = Container(here, "both")
    try:
        here.docker("network", "connect", "db", "both")
        both.start()
        with there.container("far", network="web") as far, there.container("store", network="db") as store:
            learns(both, "far", far.address("web"))
            learns(both, "store", store.address("db"))
            here.docker("network", "disconnect", "web", "both")
            learns(both, "store", store.address("db"))
            here.docker("network", "connect", "web", "both")
            learns(both, "far", far.address("web"))
            both.restart()
            learns(both, "far", far.address("web"))
        routes = json.loads(both.inside("ip", "-j", "route").stdout)
        assert len([it for it in routes if it["dst"].startswith("169.254.83.8")]) == 2
    finally:
        both.remove()


@pytest.mark.row(79)
def test_names_are_known_again_after_a_restart_of_the_agent(named: Cluster) -> None:
    here, there = named.hosts
    with here.container("asks", network="web") as asks, there.container("far", network="web") as far:
        learns(asks, "far", far.address("web"))
        here.agent.kill()
        learns(asks, "far", far.address("web"))


@pytest.mark.row(82)
def test_a_container_of_another_driver_is_answered_at_once(named: Cluster) -> None:
    here, _ = named.hosts
    with here.container("plain") as plain:
        began = time.monotonic()
        said = plain.exec("nslookup", "far.ovsnet.internal.", check=False)
        assert "NXDOMAIN" in said.stdout + said.stderr
        assert time.monotonic() - began < 4
