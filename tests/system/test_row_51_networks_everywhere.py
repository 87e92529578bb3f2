"""Row 51: a network made on one host is known to every engine of the cluster, and gone from all when it is removed."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network, networks_of
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.networks import ask
from tests.system.reach import answers
from tests.system.together import at_once, await_on_all, together

WITHIN = 5.0
"""Seconds until every engine knows (row 51)."""
DUAL_STACK = (
    *("--ip-range", "10.51.7.0/24", "--gateway", "10.51.0.9", "--aux-address", "printer=10.51.0.50"),
    *("--ipv6", "--subnet", "fd00:51::/64", "--label", "team=blue", "--label", "note=a b ä", "--internal"),
    *("-o", "mtu=1300", "-o", "icc=false", "-o", "egress=none"),
)


def in_engine(host: Host, name: str) -> Any:
    """What `docker network inspect` says that must be the same everywhere; gateways that nobody chose it leaves out."""
    found = host.docker("network", "inspect", name).json()[0]
    config = [{key: it.get(key, "") for key in ("Subnet", "IPRange")} for it in found["IPAM"]["Config"]]
    auxiliary = [sorted((it.get("AuxiliaryAddresses") or {}).values()) for it in found["IPAM"]["Config"]]
    flags = {key: found[key] for key in ("Name", "Driver", "Scope", "Internal", "EnableIPv6", "Labels", "Options")}
    return flags, config, auxiliary, (found["IPAM"]["Driver"], found["IPAM"]["Options"] or {})


def in_agent(host: Host, name: str) -> Any:
    """As `ovsnet network ls` lists it; the id is each engine's own. Agents learn names from their engine's list."""
    named = f"the agent of {host.name} knows {name}"
    found = wait_until(lambda: [it for it in ask(host, "networks") if it["name"] == name], 15, named)
    assert len(found) == 1, f"{host.name}: {found}"
    return {key: value for key, value in found[0].items() if key not in ("id", "endpoints")}


def known_everywhere(cluster: Cluster, name: str) -> float:
    """Seconds until every engine lists the network and every agent has its name."""
    began = time.monotonic()
    await_on_all(cluster.hosts, lambda host: name in networks_of(host), WITHIN, f"network {name}")
    await_on_all(cluster.hosts, lambda host: named(host, name), WITHIN, f"the name of network {name}")
    return time.monotonic() - began


def named(host: Host, name: str) -> bool:
    return name in [it["name"] for it in ask(host, "networks")]


def gone_everywhere(cluster: Cluster) -> float:
    began = time.monotonic()
    await_on_all(cluster.hosts, lambda host: not networks_of(host), WITHIN, "no network in the engine")
    await_on_all(cluster.hosts, lambda host: not ask(host, "networks"), WITHIN, "no network in the agent")
    return time.monotonic() - began


def create(host: Host, name: str, *options: str) -> Any:
    return networks.create(host, name, "", *options, check=False)


def problems(host: Host) -> str:
    """What the agent has to complain of."""
    return json.dumps(ask(host, "status")["problems"])


@pytest.mark.row(51)
def test_a_network_made_on_any_host_is_the_same_in_every_engine_and_removed_from_any_it_is_gone(
    cluster: Cluster, figures: Figures
) -> None:
    made, gone = [], []
    for number, maker in enumerate(cluster.hosts):
        networks.create(maker, "web", "10.51.0.0/16", *DUAL_STACK)
        made.append(known_everywhere(cluster, "web"))

        seen = [(in_engine(host, "web"), in_agent(host, "web")) for host in cluster.hosts]
        assert seen[0] == seen[1] == seen[2]
        flags, config, auxiliary, driver = seen[0][0]
        assert (flags["Labels"], flags["Internal"], driver) == ({"team": "blue", "note": "a b ä"}, True, ("ovsnet", {}))
        assert flags["Options"] == {"mtu": "1300", "icc": "false", "egress": "none"}
        assert config[0] == {"Subnet": "10.51.0.0/16", "IPRange": "10.51.7.0/24"}
        assert auxiliary[0] == ["10.51.0.50"]
        assert seen[0][1]["gateways"] == ["10.51.0.9", "fd00:51::1"]
        assert (seen[0][1]["mtu"], seen[0][1]["icc"], seen[0][1]["mode"]) == (1300, False, "overlay")

        cluster.hosts[number - 1].docker("network", "rm", "web")
        gone.append(gone_everywhere(cluster))
    figures["seconds until a new network is in three engines"] = round(max(made), 1)
    figures["seconds until a removed network is gone from three engines"] = round(max(gone), 1)


@pytest.mark.row(51)
def test_a_network_that_is_used_anywhere_stays(cluster: Cluster) -> None:
    """`ovsnet network rm` says where; `docker network rm` cannot ask anybody, so the network comes back."""
    a, b, c = cluster.hosts
    cluster.network("web", "10.51.0.0/24")
    user = b.start_container("user", network="web")
    wait_until(lambda: ask(c, "cluster")["endpoints"] == 1, WITHIN, "the container is known on the third host")

    def refusal(host: Host) -> str:
        return host.ovsnet("network", "rm", "web", check=False).stderr

    # The container's name comes a moment after it, when its engine tells.
    await_on_all((a, b, c), lambda host: f"host {b.name} (user)" in refusal(host), WITHIN, "a refusal that says where")
    assert "has active endpoints" in b.docker("network", "rm", "web", check=False).stderr

    a.docker("network", "rm", "web", check=False)
    await_network(a, "web", WITHIN)
    asker = a.start_container("asker", network="web")
    answers(asker, user.address("web"))

    at_once(user.remove, asker.remove)
    c.ovsnet("network", "rm", "web")
    gone_everywhere(cluster)


@pytest.mark.row(51)
def test_hosts_that_were_away_learn_what_was_made_and_removed_meanwhile(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    cluster.network("old", "10.51.1.0/24")
    b.agent.stop()
    c.services("docker", "stop")

    networks.create(a, "new", "10.51.2.0/24", "--label", "made=meanwhile")
    a.docker("network", "rm", "old")
    b.agent.start(*QUICK)
    c.services("docker", "start")

    await_on_all((b, c), lambda host: list(networks_of(host)) == ["new"], 20, "new and not old")
    assert in_engine(a, "new") == in_engine(b, "new") == in_engine(c, "new")
    wait_until(lambda: in_agent(b, "new") == in_agent(c, "new") == in_agent(a, "new"), WITHIN, "one network for all")


@pytest.mark.row(51)
def test_of_two_hosts_that_want_overlapping_subnets_at_the_same_moment_one_is_told_so(cluster: Cluster) -> None:
    a, b, _ = cluster.hosts
    for attempt in range(4):
        said = at_once(
            lambda: networks.create(a, "left", "10.51.0.0/20", check=False),
            lambda: networks.create(b, "right", "10.51.8.0/24", check=False),
        )
        assert sorted(it.ok for it in said) == [False, True], (attempt, said)
        loser = next(it for it in said if not it.ok)
        assert "overlaps" in loser.stderr
        winner = "left" if said[0].ok else "right"
        assert f"network {winner}" in loser.stderr or "made on host" in loser.stderr
        known_everywhere(cluster, winner)
        assert all(list(networks_of(host)) == [winner] for host in cluster.hosts)
        cluster.hosts[2].docker("network", "rm", winner)
        gone_everywhere(cluster)


@pytest.mark.row(51, 73)
def test_automatic_subnets_and_vnis_chosen_at_the_same_moment_are_different(cluster: Cluster) -> None:
    """Who was slower is refused, and may be: Docker's answer is final. Nothing overlaps, whoever made it."""
    makers = [(host, f"n{number}-{host.name}") for host in cluster.hosts for number in range(3)]

    def make(maker: tuple[Host, str]) -> bool:
        return any(create(*maker).ok for _ in range(len(makers)))

    assert all(together(make, makers))

    await_on_all(cluster.hosts, lambda host: len(networks_of(host)) == len(makers), 20, "all networks")
    listed = ask(cluster.hosts[0], "networks")
    assert (
        len({it["vni"] for it in listed}) == len({subnet for it in listed for subnet in it["subnets"]}) == len(makers)
    )


@pytest.mark.row(51)
def test_of_two_networks_with_one_name_made_at_the_same_moment_both_hosts_tell(cluster: Cluster) -> None:
    """No driver hears a name before the network is made: so both are there, both hosts say so, and one is removed."""
    a, b, c = cluster.hosts
    made = at_once(
        lambda: networks.create(a, "web", "10.51.1.0/24", check=False),
        lambda: networks.create(b, "web", "10.51.2.0/24", check=False),
    )
    if all(it.ok for it in made):
        await_on_all((a, b), lambda host: "network web" in problems(host), WITHIN, "word of the other web")
        assert not a.ovsnet("status", check=False).ok
        # By its id: the engine of a host may have both by now.
        b.docker("network", "rm", made[1].stdout.strip())
    else:  # One was known to the other's engine just in time.
        assert "already exists" in "".join(it.stderr for it in made)

    known_everywhere(cluster, "web")
    wait_until(lambda: in_agent(a, "web") == in_agent(b, "web") == in_agent(c, "web"), 30, "one network for all")
    await_on_all(cluster.hosts, lambda host: host.ovsnet("status", check=False).ok, 20, "a content agent")


@pytest.mark.row(51)
def test_without_our_ipam_driver_a_network_for_all_hosts_is_refused_with_the_option_that_is_missing(
    cluster: Cluster,
) -> None:
    host = cluster.hosts[0]

    refused = host.docker("network", "create", "-d", "ovsnet", "--subnet", "10.51.0.0/24", "web", check=False)
    assert not refused.ok
    assert "--ipam-driver ovsnet" in refused.stderr
    assert "-o mode=bridge" in refused.stderr

    host.docker("network", "create", "-d", "ovsnet", "-o", "mode=bridge", "--subnet", "10.51.0.0/24", "here")
    assert in_agent(host, "here")["mode"] == "bridge"
    assert [networks_of(it) for it in cluster.hosts[1:]] == [[], []]


FILE = "/root/shop/docker-compose.yml"
SHOP = """
version: "3.7"
services:
  app:
    image: busybox:local
    init: true
    command: sleep 1000000
    networks:
      front: {aliases: [www]}
networks:
  front:
    driver: ovsnet
    driver_opts: {mtu: "1400"}
    labels: {team: blue}
    ipam:
      driver: ovsnet
      config: [{subnet: 10.51.0.0/24, gateway: 10.51.0.254}]
"""


def compose(host: Host, *words: str) -> None:
    """The plugin of the command line, or the program of its own that older suites have."""
    plugin = host.docker("compose", "version", check=False).ok
    command: Sequence[str] = ("docker", "compose") if plugin else ("docker-compose",)
    host.run(*command, "-p", "shop", "-f", FILE, *words, timeout=120)


@pytest.mark.row(11, 51)
def test_one_compose_file_is_used_on_two_hosts(cluster: Cluster) -> None:
    a, b, _ = cluster.hosts
    for host in (a, b):
        host.write_file(FILE, SHOP)

    compose(a, "up", "-d")
    await_network(b, "shop_front", WITHIN)
    compose(b, "up", "-d")
    compose(b, "up", "-d")

    here, there = (host.docker("ps", "-q").stdout.strip() for host in (a, b))
    address = b.docker("inspect", "-f", "{{.NetworkSettings.Networks.shop_front.IPAddress}}", there).stdout.strip()
    assert a.docker("exec", here, "ping", "-c", "1", "-W", "2", address).ok
    compose(a, "down", "-t", "1")
    compose(b, "down", "-t", "1")
    gone_everywhere(cluster)
