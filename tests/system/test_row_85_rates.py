"""Row 85: how much an interface on a network may send and receive."""

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import in_force

SLOPPY = 0.1
"""How far from its rate a measurement may be."""
SECONDS = "1"
TRIES = 3
"""A machine that is busy with other things may bring less than the rate, which is then measured again; more than it is
a fault at once.
"""


def mbits(client: Container, server: Container, *options: str) -> float:
    """What arrives of a TCP stream."""
    with server.spawn_inside("iperf3", "-s", "-1", "--forceflush", label="iperf3") as it:
        it.wait_for_output("Server listening")
        said = client.inside("iperf3", "-J", "-t", SECONDS, "-c", server.address("web"), *options).json()
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def both_ways(client: Container, server: Container, rate: float) -> tuple[float, float]:
    """What it sends, and what it receives, where it should be that rate."""
    return reached(rate, client, server), reached(rate, client, server, "-R")


def reached(rate: float, client: Container, server: Container, *options: str) -> float:
    """The first that is not too little, or the last."""
    for _ in range(TRIES):
        measured = mbits(client, server, *options)
        if measured > (1 - SLOPPY) * rate:
            break
    return round(measured, 1)


def is_near(rate: float, *measured: float) -> bool:
    """Whether all of these are what they should be."""
    return all(abs(it - rate) < SLOPPY * rate for it in measured)


def bounds(host: Host) -> dict[str, str]:
    """As `ovsnet ps` shows them."""
    return {it["container"]: it["rate"] for it in networks.ask(host, "endpoints")}


def is_bound_inside(container: Container) -> bool:
    """Whether what it sends is bound."""
    return "tbf" in container.inside("tc", "qdisc", "show", "dev", "eth0").stdout


@pytest.mark.row(14, 15, 28, 85)
def test_a_rate_holds_both_ways_changes_while_it_runs_and_is_back_after_restarts(
    host: NamespaceHost, figures: Figures
) -> None:
    networks.create(host, "web", "10.20.0.0/24", "-o", "rate=500mbit")
    always = ("--restart", "always")
    c1 = host.start_container("c1", *always, network="name=web,driver-opt=rate=100mbit")
    c2 = host.start_container("c2", *always, network="web")
    wait_until(lambda: is_bound_inside(c1) and is_bound_inside(c2), 5, "both to be bound")
    assert bounds(host) == {"c1": "100mbit", "c2": "500mbit"}
    asked = both_ways(c1, c2, 100)

    host.ovsnet("set", "c1", "web", "--rate", "50mbit")
    changed = both_ways(c1, c2, 50)
    host.agent.kill()
    host.vswitchd_restart()
    host.agent.wait_ready()
    host.dockerd_restart()
    wait_until(lambda: bounds(host) == {"c1": "50mbit", "c2": "500mbit"}, 20, "the order to be remembered")
    wait_until(lambda: is_bound_inside(c1), 5, "it to be bound inside, too")
    in_force(host)
    again = both_ways(c1, c2, 50)
    figures["Mbit/s sent and received: rate=100mbit, set to 50mbit, after restarts"] = [*asked, *changed, *again]
    assert is_near(100, *asked), (asked, changed, again)
    assert is_near(50, *changed, *again), (asked, changed, again)

    host.ovsnet("set", "c1", "web", "--rate", "0")
    assert bounds(host) == {"c1": "", "c2": "500mbit"}
    assert not is_bound_inside(c1)
    assert "htb" not in host.run("tc", "qdisc", "show", "dev", networks.port_of(c1, "web")).stdout
    in_force(host)


@pytest.mark.kernel
@pytest.mark.row(85)
def test_on_the_kernel_datapath_a_rate_holds_both_ways_and_is_back_after_a_restart_of_the_switch(
    kernel_host: KernelHost, figures: Figures
) -> None:
    host = kernel_host
    networks.create(host, "web", "10.20.0.0/24")
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    host.ovsnet("set", "c1", "web", "--rate", "20mbit")
    wait_until(lambda: is_bound_inside(c1), 30, "c1 to be bound")
    asked = both_ways(c1, c2, 20)
    host.vswitchd_restart()
    wait_until(lambda: c1.pings(c2.address("web")), 30, "c1 to reach c2")
    again = both_ways(c1, c2, 20)
    figures["Mbit/s sent and received: rate=20mbit, after a restart of the switch"] = [*asked, *again]
    assert is_near(20, *asked, *again), (asked, again)
