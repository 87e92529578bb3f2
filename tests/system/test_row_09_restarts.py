"""Rows 9 and 10: whatever is restarted or killed, nothing is lost but what ran through it, and nobody has to help."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.happenings import SWITCH
from tests.system.traces import amounts, clean, left_as, traces

REPAIRED = 10.0
"""Seconds after a neighbour is back until everything works again."""
ORPHAN_AGE = 10
# Longer than any start here takes, or else a container that is just starting would be taken for an orphan.
ORPHANS_SOON = ("--set", f"orphan_age={ORPHAN_AGE}", "--set", "orphan_period=1")
COLLECTED = 3.0 * ORPHAN_AGE
STEADY = 100
"""Datagrams a second. The userspace datapath has room for some 250 while ovs-vswitchd does not come to fetch them, as
when it opens a port on a busy machine: with more, a test of ours would measure that."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two containers of network `web`, which come back when the engine does."""

    host: NamespaceHost
    c1: Container
    c2: Container

    def talk(self) -> bool:
        return all(self.c1.pings(it) for it in (self.c2.address("web"), self.c2.address6("web")))


@pytest.fixture(scope="module")
def pair(module_host: NamespaceHost) -> Iterator[Pair]:
    host = module_host
    host.agent.stop()
    host.agent.start(*ORPHANS_SOON)
    networks.create(host, "web", "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
    always = ("--restart", "always")
    c1, c2 = (
        host.start_container(f"c{it}", *always, "--ip", f"10.20.0.{it}0", "--ip6", f"fd00:20::{it}0", network="web")
        for it in (1, 2)
    )
    wait_until(lambda: names_on_the_switch(host) == {"c1", "c2"}, 10, "the names of both containers")
    yield Pair(host, c1, c2)
    host.agent.stop()


def names_on_the_switch(host: NamespaceHost) -> set[str]:
    return {it["container"] for it in networks.ask(host, "endpoints")}


def works_again(pair: Pair) -> None:
    """Unasked: nothing is called but questions."""
    wait_until(pair.talk, REPAIRED, "both containers reach each other")
    wait_until(lambda: pair.host.ovsnet("check", check=False).ok, REPAIRED, "a clean check")
    clean(pair.host)
    assert "No such device" not in pair.host.ovs_vsctl("show").stdout


@pytest.mark.row(9, 10)
def test_a_killed_agent_costs_no_packet_not_even_while_others_attach(pair: Pair, figures: Figures) -> None:
    host, c1, c2 = pair.host, pair.c1, pair.c2
    host.docker("run", "--rm", "--network", "web", "busybox:local", "true")
    before = traces(host)
    run = "docker run --rm --network web busybox:local true || echo refused"

    with Flood(c1, c2, c2.address("web"), rate=STEADY) as flood, Flood(c2, c1, c1.address6("web"), rate=STEADY) as six:
        with host.spawn("sh", "-c", "; ".join([run] * 6), label="attach") as attaching:
            for _ in range(4):
                host.agent.kill()
            refused = attaching.wait(90).stdout.count("refused")
        host.agent.wait_ready()

    figures["packets lost during 4 kills of the agent"] = flood.result.lost + six.result.lost
    figures["of packets sent"] = flood.result.sent + six.result.sent
    figures["docker run refused because the agent died in the middle of its call"] = f"{refused} of 6"
    assert (flood.result.lost, six.result.lost) == (0, 0)
    left_as(host, before, deadline=COLLECTED)


@pytest.mark.row(9, 10)
def test_calls_made_while_the_agent_is_dead_wait_for_the_next_one_and_succeed(pair: Pair, figures: Figures) -> None:
    host = pair.host
    # Whoever dies again and again is started later and later: by now there is time for calls in between.
    for _ in range(4):
        host.agent.kill()
    with host.spawn("docker", "network", "create", *networks.DRIVER, "late", label="create") as creating:
        assert networks_are_silent(host)
        assert creating.wait(30).ok, creating.stderr

    assert host.docker("run", "--rm", "--network", "late", "busybox:local", "ip", "addr", "show", "eth0").ok
    host.docker("network", "rm", "late")
    works_again(pair)


def networks_are_silent(host: NamespaceHost) -> bool:
    """Whether nobody serves the agent's API at this moment."""
    return not host.run(*networks.API, "http://ovsnet/v1/version", check=False).ok


@pytest.mark.row(9, 10)
def test_a_killed_keeper_is_followed_by_a_new_agent_that_takes_everything_over(pair: Pair) -> None:
    host = pair.host
    before = traces(host)
    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=STEADY) as flood:
        host.agent.kill_all()
        assert host.docker("ps", timeout=2).ok
        assert host.docker("volume", "ls", timeout=2).ok
        host.agent.start()

    assert flood.result.lost == 0
    left_as(host, before)


@pytest.mark.row(9)
@pytest.mark.fault("nothing-is-written-down")
def test_a_killed_store_comes_back_with_everything_and_costs_no_packet(pair: Pair) -> None:
    host = pair.host
    before = traces(host)
    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=STEADY) as flood:
        for _ in range(2):
            victim = str(host.agent.store_pid)
            host.run("kill", "-KILL", victim)
            assert host.docker("run", "--rm", "--network", "web", "busybox:local", "true").ok
        host.agent.wait_ready()

    assert flood.result.lost == 0
    left_as(host, before)
    works_again(pair)


@pytest.mark.row(9)
@pytest.mark.parametrize("what", ["rm $F", "dd if=/dev/zero of=$F bs=1 seek=9 count=9 conv=notrunc "])
def test_a_store_that_lost_its_file_is_given_all_back_by_the_agent(pair: Pair, what: str) -> None:
    host = pair.host
    before = traces(host)
    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=STEADY) as flood:
        host.shell(f"F=/var/lib/ovsnet/ovsnet.db; {what}")
        host.run("kill", "-KILL", str(host.agent.store_pid))
        assert host.docker("run", "--rm", "--network", "web", "busybox:local", "true").ok

    assert flood.result.lost == 0
    left_as(host, before)
    works_again(pair)


@pytest.mark.row(9)
@pytest.mark.parametrize("what", SWITCH)
def test_after_a_restart_of_the_switch_everything_works_again_unasked(pair: Pair, what: str, figures: Figures) -> None:
    before = traces(pair.host)
    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=STEADY) as flood:
        SWITCH[what](pair.host)
        pair.host.services("ovs", "start")
        works_again(pair)

    figures["seconds without a packet"] = round(flood.result.longest_gap, 2)
    left_as(pair.host, before)


@pytest.mark.row(9)
def test_a_switch_that_lost_its_database_is_built_anew(pair: Pair) -> None:
    """The worst that can happen to Open vSwitch: conf.db is gone, and with it every bridge."""
    before = traces(pair.host)
    pair.host.services("ovs", "stop")
    pair.host.run("rm", "/etc/openvswitch/conf.db")
    pair.host.services("ovs", "start")

    works_again(pair)
    assert amounts(traces(pair.host)) == amounts(before)


@pytest.mark.row(9, 10)
@pytest.mark.parametrize("how", ["restart", "kill"])
@pytest.mark.fault("port-stays")
def test_after_the_engine_s_end_containers_come_back_and_orphans_are_collected(pair: Pair, how: str) -> None:
    host = pair.host
    before = traces(host)
    # These do not come back: what the engine leaves of them is an orphan.
    networks.start(host, "gone1", "gone2", network="web")

    host.services("docker", how)
    host.services("docker", "start")
    wait_until(lambda: host.docker("ps", "-q").stdout.count("\n") == 2, 30, "both containers that always restart run")

    works_again(pair)
    assert (pair.c1.address("web"), pair.c2.address("web")) == ("10.20.0.10", "10.20.0.20")
    wait_until(lambda: names_on_the_switch(host) == {"c1", "c2"}, COLLECTED, "only what runs is on the switch")
    host.docker("rm", "-f", "gone1", "gone2")
    wait_until(lambda: amounts(traces(host)) == amounts(before), COLLECTED, "as much of everything as before")
    clean(host)


@pytest.mark.row(10)
@pytest.mark.fault("dead-plugin-stalls-the-engine")
def test_the_engine_starts_soon_although_the_agent_has_just_died(pair: Pair, figures: Figures) -> None:
    """Its calls wait for the next agent: an engine that finds nobody gives up after 15 seconds, for every container."""
    pair.host.services("docker", "stop")
    pair.host.agent.kill()

    before = time.monotonic()
    pair.host.services("docker", "start")
    took = time.monotonic() - before

    figures["engine start right after the agent was killed, seconds"] = round(took, 1)
    assert took < 30
    wait_until(pair.talk, 30, "both containers run and reach each other")
