"""Row 8, and 10: the agent dies, or its store is stuck, in the middle of work. Nothing leaks; orphans are collected."""

from collections.abc import Iterator
from functools import partial

import pytest
from tests.functional.boundary import Fate
from tests.functional.mortal import MODULE
from tests.rig.container import Container
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rig.spawned import Spawned
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean, left_as, traces

from ovsnet.settings import Settings

STORE_DEADLINE = Settings().store_deadline
COUNT = 12
AT_ONCE = 4
# Longer than any start here takes, or else a container that is just starting would be taken for an orphan.
ORPHAN_AGE = 10
COLLECTED = 3.0 * ORPHAN_AGE


@pytest.fixture(scope="module")
def web(rig: Rig) -> Iterator[NamespaceHost]:
    """A host whose agent collects orphans soon, with a network."""
    host = rig.host()
    host.agent.start("--set", f"orphan_age={ORPHAN_AGE}", "--set", "orphan_period=1")
    networks.with_gateway_bridge(host)
    networks.create(host, "web", "10.20.0.0/24")
    yield host
    clean(host)
    rig.discard(host)


def running(host: NamespaceHost) -> list[str]:
    return host.docker("ps", "--format", "{{.Names}}", "--filter", "network=web").stdout.split()


def under_way(host: NamespaceHost, share: int, starting: Spawned) -> bool:
    """Whether so many containers run, or all have tried."""
    return len(running(host)) >= share or not starting.running


def burst() -> str:
    """Many `docker run`, some at once; each says when it failed, and why."""
    run = "docker run -d --init --name cN --network web busybox:local sleep 1000000 >/dev/null"
    return f"seq {COUNT} | xargs -P {AT_ONCE} -I N sh -c '{run} || echo gave-up' 2>&1"


def known_to_docker(host: NamespaceHost) -> set[str]:
    found = host.docker("network", "inspect", "web").json()[0]["Containers"].values()
    return {it["EndpointID"] for it in found}


def known_to_us(host: NamespaceHost) -> set[str]:
    return {it["endpoint_id"] for it in networks.ask(host, "endpoints")}


@pytest.mark.row(8, 10)
def test_containers_start_or_fail_cleanly_while_the_agent_is_killed_and_nothing_leaks(
    web: NamespaceHost, figures: Figures
) -> None:
    before = traces(web)
    with web.spawn("sh", "-c", burst(), label="burst") as starting:
        for share in (2, 5, 8):
            wait_until(partial(under_way, web, share, starting), 60, f"{share} containers run")
            web.agent.kill()
        said = starting.wait(120).stdout
    web.agent.wait_ready()

    started = running(web)
    figures["docker run that failed cleanly while the agent was killed three times"] = (
        f"{COUNT - len(started)} of {COUNT}"
    )
    assert said.count("gave-up") == COUNT - len(started), said
    # Nobody who says that he runs is without his network.
    first = Container(web, started[0])
    addresses = {Container(web, name).address("web") for name in started}
    assert len(addresses) == len(started)
    assert [it for it in addresses if not first.pings(it)] == []
    wait_until(lambda: known_to_us(web) == known_to_docker(web), COLLECTED, "orphaned endpoints are collected")
    wait_until(lambda: len(traces(web).addresses) == len(started) + 1, COLLECTED, "orphaned addresses are collected")
    clean(web)

    with web.spawn("docker", "rm", "-f", *started, label="removal") as going:
        wait_until(lambda: len(running(web)) < len(started), 30, "containers stop")
        web.agent.kill()
        going.wait(120)
    web.agent.wait_ready()
    web.remove_containers()
    left_as(web, before, deadline=COLLECTED)


@pytest.mark.row(8)
def test_with_the_store_stuck_a_run_fails_soon_and_says_so(web: NamespaceHost) -> None:
    before, store = traces(web), str(web.agent.store_pid)
    web.run("kill", "-STOP", store)

    failed = web.docker("run", "--rm", "--network", "web", "busybox:local", "true", check=False)

    web.run("kill", "-CONT", store)
    assert not failed.ok
    assert "the store is not available" in failed.stderr
    # One change for the attachment and one to take it back.
    assert failed.seconds < 2 * STORE_DEADLINE + 4
    web.agent.wait_ready()
    left_as(web, before, deadline=COLLECTED)
    web.docker("run", "--rm", "--network", "web", "busybox:local", "true")


FUSE = "/run/fuse"
EVERY = range(1, 46, 4)


@pytest.fixture
def mortal(rig: Rig) -> Iterator[NamespaceHost]:
    """A host whose agent dies when it is told to (tests/functional/mortal.py), with a network."""
    host = rig.host()
    python = (f"PYTHONPATH={PROJECT}/src:{PROJECT}", f"{PROJECT}/.venv/bin/python")
    options = ("--set", f"orphan_age={ORPHAN_AGE}", "--set", "orphan_period=1")
    host.agent.adopt(host.spawn("env", *python, "-m", MODULE, FUSE, "keeper", *options, label="agent"))
    host.agent.wait_ready()
    networks.with_gateway_bridge(host)
    networks.create(host, "web", "10.20.0.0/24", "-o", "egress=nat")
    yield host
    rig.discard(host)


@pytest.mark.long
@pytest.mark.row(8, 10)
def test_a_container_comes_and_goes_although_the_agent_is_killed_in_the_middle_of_it(mortal: NamespaceHost) -> None:
    """The engine asks again by itself when its call breaks off; what it gives up can be done again at once."""
    run = ("run", "-d", "--init", "-p", "8080:80", "--network", "web", "--name", "c1", "busybox:local", "sleep", "999")
    mortal.docker(*run)
    mortal.docker("rm", "-f", "c1")
    clean(mortal)
    before, died = traces(mortal), 0
    for number in EVERY:
        mortal.shell(f"rm -f {FUSE}.struck; echo '{number} {Fate.DIES_AFTER}' >{FUSE}.new; mv {FUSE}.new {FUSE}")
        if not mortal.docker(*run, check=False).ok:
            mortal.docker("rm", "-f", "c1", check=False)
            mortal.docker(*run)
        assert Container(mortal, "c1").address("web"), number
        mortal.docker("rm", "-f", "c1")
        mortal.agent.wait_ready()
        left_as(mortal, before, deadline=COLLECTED)
        died += mortal.exists(f"{FUSE}.struck")
    assert died > len(EVERY) // 2
