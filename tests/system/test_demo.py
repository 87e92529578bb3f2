"""`make demo` shows what it promises, and `make demo-clean` leaves nothing of it."""

from collections.abc import Iterator

import pytest
from tests.rig.host import PROJECT, Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.rig import Rig, Shape
from tests.system.traces import left_as, traces

DEMO = str(PROJECT / "scripts/demo")
PROMISED = (
    "web1  -> web2  10.20.0.3     reached: hello from web2",
    "web2  -> web1  10.20.0.2     reached: hello from web1",
    "web1  -> db1   10.30.0.2     not reached",
    "db1   -> web1  10.20.0.2     not reached",
    "is back, nobody called for it",
)
# What a host has, without what its engine and switch keep for themselves.
HAS = """
ip -o link show | cut -d' ' -f2 | sed 's/@.*//'
ls -d /run/ovsnet* /var/lib/ovsnet* /var/log/ovsnet* /etc/ovsnet* /run/docker/plugins/* /tmp/* 2>/dev/null
ps -eo args= | grep -E 'ovs|docker|containerd' | grep -vE 'grep|rig/'
true
"""


@pytest.fixture
def bare(rig: Rig) -> Iterator[NamespaceHost]:
    """A machine on which nothing runs yet."""
    host = rig.host(Shape(docker=False, ovs=False))
    yield host
    rig.discard(host)


def shown(host: Host) -> str:
    return host.run(DEMO, timeout=150).stdout


@pytest.mark.row(1, 3, 94, 97)
def test_on_a_machine_where_nothing_runs_the_demo_starts_all_and_takes_all_away(bare: NamespaceHost) -> None:
    before = bare.shell(HAS).stdout

    said = shown(bare)

    assert [it for it in PROMISED if it not in said] == []
    assert bare.shell(HAS).stdout != before
    bare.run(DEMO, "clean")
    left = set(bare.shell(HAS).stdout.splitlines()) - set(before.splitlines())
    # Docker's own bridge is made by any start of it; the switch's own log stays like that of any daemon.
    assert left - {"docker0:"} == set()
    bare.services("ovs", "docker", "start")
    assert bare.bridges() == []
    assert bare.docker("ps", "-aq").stdout == ""
    assert bare.docker("images", "-q").stdout == ""
    assert bare.docker("network", "ls", "-q", "--filter", "type=custom").stdout == ""


@pytest.mark.row(97)
def test_an_agent_that_ran_before_the_demo_runs_on_after_it(host: NamespaceHost) -> None:
    before, agent, images = traces(host), host.agent.pid, host.docker("images", "-q").stdout

    said = shown(host)
    host.run(DEMO, "clean")

    assert [it for it in PROMISED if it not in said] == []
    assert host.agent.pid == agent
    assert host.docker("images", "-q").stdout == images
    left_as(host, before)
