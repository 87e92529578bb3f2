"""Row 88: one command says how things are, and its exit code says whether that is well."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.system import networks


@pytest.mark.row(88)
def test_status_tells_what_runs_what_it_holds_and_that_all_is_well(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    networks.start(host, "c1", "c2", network="web")

    said = host.ovsnet("status").stdout
    found = host.ovsnet("status", "--json").json()

    versions = host.versions
    for sentence in (
        f"Open vSwitch {versions.ovs}, userspace datapath, bridge br-ovsnet",
        f"Docker {versions.engine}",
        "networks  1",
        "endpoints 2",
        "pool      10.20.0.0/24 (web): 3 of 254 addresses used",
        "drift     none",
        "available, /var/lib/ovsnet/ovsnet.db",
        "agent     ready",
    ):
        assert sentence in said
    assert (found["healthy"], found["problems"], found["drift"]["total"]) == (True, [], 0)
    assert found["pid"] == host.agent.pid


@pytest.mark.row(88)
def test_status_knows_the_switch_s_version_although_nobody_wrote_it_into_its_database(host: NamespaceHost) -> None:
    host.ovs_vsctl("clear", "open_vswitch", ".", "ovs_version")
    host.agent.kill()
    host.agent.wait_ready()

    wait_until(
        lambda: networks.ask(host, "version")["openvswitch"] == host.versions.ovs,
        5,
        "the version, asked of ovs-vswitchd",
    )


@pytest.mark.row(88)
def test_status_fails_and_says_what_to_do_while_open_vswitch_is_stopped(host: NamespaceHost) -> None:
    for services in (["ovs"], ["vswitchd"]):
        host.services(*services, "stop")
        said = wait_until(lambda: _unwell(host), 10, f"a status that knows {services} is stopped")
        assert said is not None
        assert said.returncode == 1, said.stdout
        assert "PROBLEM" in said.stdout
        assert "systemctl start openvswitch-switch" in said.stdout

        host.services(*services, "start")
        host.ovsnet("status", "--wait", "10")


def _unwell(host: NamespaceHost) -> Completed | None:
    said = host.ovsnet("status", check=False)
    return None if said.ok else said


@pytest.mark.row(88)
def test_status_without_an_agent_is_one_sentence_and_another_exit_code(bare_host: NamespaceHost) -> None:
    said = bare_host.ovsnet("status", check=False)

    assert said.returncode == 2
    assert len(said.stderr.splitlines()) == 1
    assert "systemctl start ovsnet" in said.stderr
