"""Rows 28, 32: what is attached is there whenever its container runs, whatever was restarted, unasked."""

from datetime import UTC, datetime

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import addresses, in_force, interface, is_up, port
from tests.system.test_row_09_restarts import STEADY
from tests.system.traces import clean

SOON = 1.0
"""Seconds from a container's start until its interface is there."""
BACK = 10.0


@pytest.fixture(scope="module")
def pair(module_host: NamespaceHost) -> tuple[Container, Container]:
    """Two containers, each on a bridge and on a network by nothing but attachments, that come back with the engine."""
    host = module_host
    networks.create(host, "web", "10.20.0.0/24")
    c1, c2 = (host.start_container(name, "--restart", "always", network="none") for name in ("c1", "c2"))
    for number, name in enumerate(("c1", "c2"), 1):
        route = ("--route", "10.9.0.0/16@192.168.1.2")
        host.ovsnet("attach", name, "--bridge", "lan", "--ip", f"192.168.1.{number}/24", *route)
        host.ovsnet("attach", name, "--network", "web", "--ip", f"10.20.0.{number}0")
    in_force(host)
    return c1, c2


def there(pair: tuple[Container, Container]) -> bool:
    """Every interface, with its address and its route."""
    return all(
        addresses(it, "eth1") == {f"192.168.1.{number}/24"}
        and addresses(it, "eth2") == {f"10.20.0.{number}0/24"}
        and "10.9.0.0/16 via 192.168.1.2" in it.inside("ip", "route").stdout
        for number, it in enumerate(pair, 1)
    )


def held(host: Host) -> set[str]:
    """The addresses that interfaces have."""
    return {it["address"] for it in networks.ask(host, "leases") if it["state"] == "held" and it["kind"] == "endpoint"}


def talk(pair: tuple[Container, Container]) -> bool:
    return pair[0].pings("192.168.1.2") and pair[0].pings("10.20.0.20")


def works(pair: tuple[Container, Container]) -> None:
    host = pair[0].host
    wait_until(lambda: there(pair) and talk(pair), BACK, "both containers to have what was attached, and to talk")
    wait_until(lambda: networks.ask(host, "check")["clean"], BACK, "a clean check")
    assert "No such device" not in host.ovs_vsctl("show").stdout


@pytest.mark.row(23, 28, 32)
@pytest.mark.fault("changes-are-lost")
def test_a_restarted_container_has_its_interfaces_again_at_once(
    pair: tuple[Container, Container], figures: Figures
) -> None:
    c1, _ = pair
    host = c1.host
    macs = [interface(c1, name)["address"] for name in ("eth1", "eth2")]
    host.ovsnet("set", "c1", "eth1", "--ip", "192.168.1.1/24", "--ip", "192.168.1.11/24")
    host.ovsnet("route", "add", "c1", "10.8.0.0/16@192.168.1.2", "--ifname", "eth1")
    took = []
    for _ in range(3):
        c1.restart()
        wait_until(lambda: is_up(c1, "eth1") and is_up(c1, "eth2"), 5, "both interfaces")
        seen = datetime.now(UTC)
        took.append((seen - datetime.fromisoformat(c1.inspect()["State"]["StartedAt"])).total_seconds())
        assert [interface(c1, name)["address"] for name in ("eth1", "eth2")] == macs
        assert addresses(c1, "eth1") == {"192.168.1.1/24", "192.168.1.11/24"}, "also what it was given while it ran"
        assert "10.8.0.0/16 via 192.168.1.2" in c1.inside("ip", "route").stdout
    host.ovsnet("route", "del", "c1", "10.8.0.0/16", "--ifname", "eth1")
    host.ovsnet("set", "c1", "eth1", "--ip", "192.168.1.1/24")
    works(pair)
    figures["seconds from a container's start to its two attached interfaces, 3 restarts"] = [
        round(it, 2) for it in took
    ]
    assert max(took) < SOON


@pytest.mark.row(9, 28)
@pytest.mark.fault("port-stays")
def test_while_a_container_is_stopped_nothing_of_it_is_on_the_switch(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    c1.stop()
    wait_until(lambda: port(host, "c1", "eth1") == port(host, "c1", "eth2") == "", 5, "the ports to be unplugged")
    assert "No such device" not in host.ovs_vsctl("show").stdout
    clean(host)
    assert "10.20.0.10" in held(host), "its address is kept for it"
    remembered = {(it["target"], it["ifname"], it["running"]) for it in networks.ask(host, "attachments")}
    assert {("c1", "eth1", False), ("c2", "eth1", True)} <= remembered
    c1.start()
    works(pair)


@pytest.mark.row(9, 10, 28)
def test_a_killed_agent_costs_no_packet(pair: tuple[Container, Container], figures: Figures) -> None:
    c1, c2 = pair
    with (
        Flood(c1, c2, "192.168.1.2", rate=STEADY) as bridge,
        Flood(c2, c1, "10.20.0.10", rate=STEADY) as network,
    ):
        c1.host.agent.kill()
        c1.host.agent.wait_ready()
        in_force(c1.host)
    figures["packets lost by attached interfaces while the agent was killed"] = bridge.result.lost + network.result.lost
    assert (bridge.result.lost, network.result.lost) == (0, 0)


@pytest.mark.row(9, 28)
def test_after_a_restart_of_engine_and_switch(pair: tuple[Container, Container]) -> None:
    host = pair[0].host
    host.dockerd_restart()
    works(pair)
    host.ovs_stop()
    host.ovs_start()
    works(pair)


@pytest.mark.row(9, 28)
def test_what_happened_while_there_was_no_agent_is_made_up_for(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    host.agent.stop()
    c1.restart()
    assert interface(c1, "eth1") is None
    host.agent.start()
    works(pair)


@pytest.mark.row(28)
def test_labels_attach_at_every_start_and_a_bad_one_is_told_of(pair: tuple[Container, Container]) -> None:
    host = pair[0].host
    good = ("--label", "ovsnet.attach=--bridge lan --ip 192.168.1.7/24 --ifname lan0")
    bad = ("--label", "ovsnet.attach.oops=--brigde lan")
    with host.container("l1", *good, *bad, network="none") as l1:
        wait_until(lambda: addresses(l1, "lan0") == {"192.168.1.7/24"}, 5, "what the label says")
        status = networks.ask(host, "status")
        assert any("Container l1: label ovsnet.attach.oops" in it for it in status["warnings"]), status["warnings"]
        l1.restart()
        wait_until(lambda: is_up(l1, "lan0"), 5, "it again")
        assert l1.pings("192.168.1.2")
        host.ovsnet("detach", "l1")
        assert interface(l1, "lan0") is None
        l1.restart()
        wait_until(lambda: is_up(l1, "lan0"), 5, "it again")
    wait_until(lambda: port(host, "l1", "lan0") == "", 5, "it to be forgotten")
    wait_until(lambda: not networks.ask(host, "status")["warnings"], 5, "the warning to be gone with it")


@pytest.mark.row(28)
@pytest.mark.fault("nothing-is-written-down")
def test_after_a_reboot(module_host: NamespaceHost, pair: tuple[Container, Container]) -> None:
    host = module_host
    host.agent.stop()
    host.reboot()
    host.services("ovs", "docker", "start")
    host.agent.start()
    works(pair)


@pytest.mark.row(18, 28)
def test_removing_a_container_forgets_what_was_attached(pair: tuple[Container, Container]) -> None:
    host = pair[0].host
    for it in pair:
        it.remove()
    wait_until(lambda: not networks.ask(host, "endpoints"), 5, "nothing to be attached")
    wait_until(lambda: not held(host), 5, "their addresses to be free")
    clean(host)


@pytest.mark.long
@pytest.mark.row(9, 28)
def test_with_live_restore_an_engine_that_is_away_costs_no_packet(rig: Rig, figures: Figures) -> None:
    """Containers go on without it, and it is not there to say so."""
    host = rig.host(Shape(dockerd_args="--live-restore"))
    host.agent.start()
    c1, c2 = networks.start(host, "c1", "c2", network="none")
    for number, name in enumerate(("c1", "c2"), 1):
        host.ovsnet("attach", name, "--bridge", "lan", "--ip", f"192.168.1.{number}/24")
    pids = (c1.pid, c2.pid)
    with Flood(c1, c2, "192.168.1.2", rate=STEADY) as flood:
        host.services("docker", "kill")
        host.agent.kill()
        host.agent.wait_ready()
        in_force(host)
        late = host.ovsnet("attach", "c1", "--bridge", "lan", "--ifname", "eth5", check=False)
        host.services("docker", "start")
        in_force(host)
    assert late.returncode != 0
    assert "Docker" in late.stderr, late.stderr
    assert (c1.pid, c2.pid) == pids
    assert flood.result.lost == 0
    figures["packets lost while the engine was killed and came back, with live-restore"] = flood.result.lost
    c1.restart()
    wait_until(lambda: addresses(c1, "eth1") == {"192.168.1.1/24"}, 5, "the interface again")
    host.ovsnet("detach", "c1", "eth1")
    clean(host)
    rig.discard(host)
