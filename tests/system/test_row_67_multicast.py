"""Row 67: a multicast group goes to the containers that joined it, on whatever host, and to no others.

h1: talker, one, still1        h2: two, still2        h3: still3
"""

import json
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.functional.pipeline_frames import IPV4, IPV6, ethernet, ipv4, ipv6, udp
from tests.rig.cluster import QUICK, Cluster
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rig.spawned import Spawned
from tests.rig.traffic import FLOOD, Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.parties import GROUP, GROUP6, Party, copies, party
from tests.system.traces import clean

pytestmark = pytest.mark.row(67)
GROUP_TALK = ("python3", str(Path(__file__).with_name("grouptalk.py")))
MACS = {GROUP: "01:00:5e:4d:4d:4d", GROUP6: "33:33:00:4d:4d:4d"}
FAMILIES = pytest.mark.parametrize("group", [GROUP, GROUP6], ids=["ipv4", "ipv6"])
PLACES = {"talker": 0, "one": 0, "still1": 0, "two": 1, "still2": 1, "still3": 2}
SOON = 15.0
Web = Mapping[str, Party]


@pytest.fixture(scope="module")
def web(session_cluster: Cluster) -> Iterator[Web]:
    session_cluster.settle()
    session_cluster.network("web", "10.20.0.0/16", "--ipv6", "--subnet", "fd00:20::/64")
    found = [session_cluster.hosts[at].start_container(name, network="web") for name, at in PLACES.items()]
    yield {it.name: party(it, "web") for it in found}
    for host in session_cluster.hosts:
        clean(host)
    session_cluster.tidy_up()


@contextmanager
def joined(cluster: Cluster, group: str, *members: Party) -> Iterator[Sequence[Spawned]]:
    """These listen to the group, and every host knows; afterwards every host knows that they do not."""
    with ExitStack() as stack:
        programs = [it.container.spawn_inside(*GROUP_TALK, "join", group, label="group") for it in members]
        for it in programs:
            stack.callback(it.stop)
            it.wait_for_output("joined")
        for host in cluster.hosts:
            await_known(host, group, members)
        yield programs
    for host in cluster.hosts:
        await_known(host, group, ())


def await_known(host: Host, group: str, members: Collection[Party]) -> None:
    here = sorted(it.container.name for it in members if it.container.host is host)
    elsewhere = sorted({it.container.host.name for it in members if it.container.host is not host})

    def known() -> bool:
        return said_of(host, group) == (here, elsewhere)

    wait_until(known, SOON, f"{host.name} knows who listens to {group}")


def said_of(host: Host, group: str) -> tuple[list[str], list[str]]:
    """The containers here and the hosts elsewhere that `ovsnet multicast ls` names."""
    listed: list[dict[str, Any]] = json.loads(host.ovsnet("multicast", "ls", "--json").stdout)
    for it in listed:
        if it["group"] == group:
            return it["containers"], it["hosts"]
    return [], []


def counted(sender: Party, listeners: Sequence[Party], group: str) -> dict[str, int]:
    """How many copies of one packet to the group arrive at whose interface."""
    packet = (
        ethernet(MACS[group], sender.mac, IPV4, ipv4(sender.ipv4, group, udp(b"")))
        if group == GROUP
        else ethernet(MACS[group], sender.mac, IPV6, ipv6(sender.ipv6, group, udp(b"")))
    )
    arrived = copies(sender, listeners, {"group": packet})
    return {name: count["group"] for name, count in arrived.items() if count["group"]}


def reaches(web: Web, sender: str, group: str, wanted: Mapping[str, int]) -> None:
    """So many copies arrive at these and none at others. What the hosts know is in their flows a moment later."""

    def as_wanted() -> bool:
        return counted(web[sender], others(web, sender), group) == wanted

    wait_until(as_wanted, SOON, f"a packet to {group} arrives at {dict(wanted)}")


def others(web: Web, name: str = "talker") -> Sequence[Party]:
    return [it for it in web.values() if it is not web[name]]


@pytest.mark.parametrize("group", [GROUP, pytest.param(GROUP6, marks=pytest.mark.long)], ids=["ipv4", "ipv6"])
def test_a_group_joined_on_two_hosts_is_received_on_both_and_by_nobody_else(
    web: Web, session_cluster: Cluster, group: str
) -> None:
    everybody = {it.container.name: 1 for it in others(web)}
    reaches(web, "talker", group, everybody)  # nobody is known to listen
    with joined(session_cluster, group, web["one"], web["two"]) as programs:
        reaches(web, "talker", group, {"one": 1, "two": 1})
        reaches(web, "still3", group, {"one": 1, "two": 1})
        web["talker"].container.inside(*GROUP_TALK, "say", group, "hello")
        sender = web["talker"].ipv4 if group == GROUP else web["talker"].ipv6
        for it in programs:
            it.wait_for_output(f"hello from {sender}")
    reaches(web, "talker", group, everybody)


@FAMILIES
def test_who_leaves_gets_nothing_any_more(web: Web, session_cluster: Cluster, group: str, figures: Figures) -> None:
    with joined(session_cluster, group, web["one"]):
        program = web["two"].container.spawn_inside(*GROUP_TALK, "join", group, label="group")
        program.wait_for_output("joined")
        for host in session_cluster.hosts:
            await_known(host, group, (web["one"], web["two"]))
        began = time.monotonic()
        program.stop()
        for host in session_cluster.hosts:
            await_known(host, group, (web["one"],))
        figures["every host knew that a container left its group after, s"] = round(time.monotonic() - began, 1)
        reaches(web, "talker", group, {"one": 1})


@FAMILIES
def test_a_container_that_is_gone_listens_no_more(web: Web, session_cluster: Cluster, group: str) -> None:
    host = session_cluster.hosts[2]
    with joined(session_cluster, group, web["one"]):
        gone = host.start_container("gone", network="web")
        gone.spawn_inside(*GROUP_TALK, "join", group, label="group").wait_for_output("joined")
        wait_until(lambda: said_of(session_cluster.hosts[0], group)[1] == [host.name], SOON, "it is known")
        gone.remove()
        for it in session_cluster.hosts:
            await_known(it, group, (web["one"],))


@FAMILIES
def test_an_agent_that_is_killed_costs_a_group_no_packet(
    web: Web, session_cluster: Cluster, group: str, figures: Figures
) -> None:
    first, second, _ = session_cluster.hosts
    with joined(session_cluster, group, web["one"], web["two"]):
        with (
            Flood(web["talker"].container, web["one"].container, group, rate=200.0) as near,
            Flood(web["talker"].container, web["two"].container, group, rate=200.0) as far,
        ):
            for host in (first, second):
                before = flow_of(host, group)
                host.agent.kill()
                host.agent.wait_ready()
                await_known(host, group, (web["one"], web["two"]))
                after = flow_of(host, group)
                # The same flow, and it went on counting: it was never taken away.
                assert after["seconds"] > before["seconds"]
                assert after["packets"] > before["packets"]
        reaches(web, "talker", group, {"one": 1, "two": 1})
    results = [it.result for it in (near, far)]
    figures[f"datagrams to {group} lost while agents were killed"] = (
        f"{sum(it.lost for it in results)} of {sum(it.sent for it in results)}"
    )
    assert [(it.lost, it.duplicates) for it in results] == [(0, 0)] * 2


def flow_of(host: Host, group: str) -> dict[str, float]:
    """Age and packets of the one flow that confines a group."""
    dumped = host.run("ovs-ofctl", "--no-names", "-O", "OpenFlow14", "dump-flows", networks.BRIDGE, "table=46").stdout
    (line,) = [it for it in dumped.splitlines() if f"={group} " in it]
    facts = dict(it.split("=", 1) for it in line.replace(",", " ").split() if "=" in it)
    return {"seconds": float(facts["duration"].rstrip("s")), "packets": float(facts["n_packets"])}


@FAMILIES
def test_who_joins_while_the_agent_is_away_gets_the_group_once_it_is_back(
    web: Web, session_cluster: Cluster, group: str, figures: Figures
) -> None:
    second = session_cluster.hosts[1]
    with joined(session_cluster, group, web["one"]):
        second.agent.stop()
        program = web["two"].container.spawn_inside(*GROUP_TALK, "join", group, label="group")
        program.wait_for_output("joined")
        began = time.monotonic()
        second.agent.start(*QUICK)
        for host in session_cluster.hosts:
            await_known(host, group, (web["one"], web["two"]))
        figures["every host knew of it this long after the agent was started, s"] = round(time.monotonic() - began, 1)
        reaches(web, "talker", group, {"one": 1, "two": 1})
        program.stop()


@pytest.mark.long
@FAMILIES
def test_how_soon_a_group_that_others_listen_to_comes_to_a_new_listener(
    web: Web, session_cluster: Cluster, group: str, figures: Figures
) -> None:
    """Somebody sends all the time; what a newcomer misses at the beginning is the time until the hosts know."""
    with joined(session_cluster, group, web["one"]):
        for where, name in (("on the sender's host", "still1"), ("on another host", "two")):
            with Flood(web["talker"].container, web["one"].container, group, rate=200.0) as flood:
                receive = (*FLOOD, "receive", flood.port, group)
                newcomer = web[name].container.spawn_inside(*receive, label="flood-receive")
                newcomer.wait_for_output("listening")
                for host in session_cluster.hosts:
                    await_known(host, group, (web["one"], web[name]))
                reaches(web, "talker", group, {"one": 1, name: 1})
            seen = json.loads(newcomer.stop("TERM").stdout.splitlines()[-1])
            figures[f"a new listener to {group} {where} got it after, ms"] = round(1000 * seen["first_after"])
            assert (flood.result.lost, len(seen["holes"])) == (0, 1)  # the hole is what was sent before it joined
            assert seen["first_after"] < SOON


def test_with_multicast_flood_a_group_goes_to_all_whoever_joined_it(session_cluster: Cluster) -> None:
    options = ("--ipv6", "--subnet", "fd00:21::/64", "-o", "multicast=flood")
    session_cluster.network("flooded", "10.21.0.0/16", *options)
    containers = [it.start_container(f"flooded-{it.name}", network="flooded") for it in session_cluster.hosts]
    sender, member, other = (party(it, "flooded") for it in containers)
    program = member.container.spawn_inside(*GROUP_TALK, "join", GROUP, label="group")
    program.wait_for_output("joined")
    # Heard or not: there is nothing to be known of this network.
    assert counted(sender, (member, other), GROUP) == {it.container.name: 1 for it in (member, other)}
    for host in session_cluster.hosts:
        assert said_of(host, GROUP) == ([], [])
        assert re.search(r"^multicast +flood$", host.ovsnet("network", "inspect", "flooded").stdout, re.MULTILINE)
    program.stop()
    for it in containers:
        it.remove()


def test_an_unknown_way_is_refused_and_nothing_is_made(session_cluster: Cluster) -> None:
    host = session_cluster.hosts[0]
    refused = networks.create(host, "odd", "10.99.77.0/24", "-o", "multicast=some", check=False)
    assert not refused.ok
    assert "multicast='some' is not known; use one of: snoop, flood" in refused.stderr
    assert "odd" not in networks.names(host)
