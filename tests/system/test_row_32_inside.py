"""Rows 32, 33: what an attached interface has inside besides addresses: rules, tables, bounds, faults on purpose."""

import re

import pytest
from tests.rig.container import Container
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import addresses, detach_all, in_force, is_up, port

RATE, SLOPPY = 20.0, 0.1
"""Mbit/s, and how far from that a measurement may be."""
SECONDS = "1"
LOST = re.compile(r"(\d+) packets transmitted, (\d+) received")


@pytest.fixture(scope="module")
def pair(module_host: NamespaceHost) -> tuple[Container, Container]:
    """Two containers that have nothing but what is attached to them."""
    c1, c2 = networks.start(module_host, "c1", "c2", network="none")
    module_host.ovsnet("attach", "c2", "--bridge", "lan", "--ip", "192.168.1.2/24")
    return c1, c2


def mbits(client: Container, server: Container, *options: str) -> float:
    """What arrives of a TCP stream."""
    with server.spawn_inside("iperf3", "-s", "-1", "--forceflush", label="iperf3") as it:
        it.wait_for_output("Server listening")
        said = client.inside("iperf3", "-J", "-t", SECONDS, "-c", "192.168.1.2", *options).json()
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def lost(client: Container, address: str, *, pings: int) -> float:
    """Percent of so many pings that stay without an answer."""
    done = client.inside("ping", "-n", "-q", "-i", "0.002", "-c", str(pings), "-W", "1", address, check=False)
    found = LOST.search(done.stdout)
    assert found is not None, done.stdout + done.stderr
    sent, came = map(int, found.groups())
    return 100 * (sent - came) / sent


@pytest.mark.row(32)
def test_rules_and_tables_are_there_and_back_and_go_with_their_interface(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    place = ("--bridge", "lan", "--ip", "192.168.1.1/24", "--ip", "2001:db8::1/64")
    way = ("--route", "default@192.168.1.2 table 100", "--route", "default@2001:db8::2 table 100")
    host.ovsnet("attach", "c1", *place, *way, "--rule", "from 10.1.0.0/24 table 100")
    host.ovsnet("rule", "add", "c1", "from", "::/0", "fwmark", "1", "table", "100")
    host.ovsnet("route", "add", "c1", "10.8.0.0/16@192.168.1.2", "table", "100")

    def there() -> bool:
        return (
            "32765:\tfrom 10.1.0.0/24 lookup 100" in c1.inside("ip", "rule").stdout
            and "32765:\tfrom all fwmark 0x1 lookup 100" in c1.inside("ip", "-6", "rule").stdout
            and c1.inside("ip", "route", "get", "10.8.1.1", "from", "192.168.1.1", check=False).returncode != 0
            and "10.8.0.0/16 via 192.168.1.2" in c1.inside("ip", "route", "show", "table", "100").stdout
            and "default via 2001:db8::2" in c1.inside("ip", "-6", "route", "show", "table", "100").stdout
        )

    assert there()
    c1.restart()
    wait_until(there, 5, "rules and routes to be back")
    in_force(host)
    host.ovsnet("rule", "del", "c1", "from", "::/0", "fwmark", "1", "table", "100")
    assert "fwmark" not in c1.inside("ip", "-6", "rule").stdout
    detach_all(host, "c1")
    assert "100" not in c1.inside("ip", "rule").stdout


@pytest.mark.row(88, 94)
def test_a_name_that_the_engine_took_is_told_of_and_waited_for(pair: tuple[Container, Container]) -> None:
    c1, _ = pair
    host = c1.host
    host.docker("network", "create", "plain")
    host.ovsnet("attach", "c1", "--bridge", "lan", "--ifname", "eth0")
    c1.stop()
    host.docker("network", "disconnect", "none", "c1")
    host.docker("network", "connect", "plain", "c1")
    c1.start()
    taken = "there is an interface eth0 inside already that was not attached"
    wait_until(lambda: taken in host.ovsnet("status", check=False).stdout, 5, "status to say why it is not there")
    said = host.ovsnet("status", check=False).stdout
    assert "eth0 of c1" in said
    assert "It is tried again when something changes" in said
    host.docker("network", "disconnect", "plain", "c1")
    wait_until(lambda: is_up(c1, "eth0"), 5, "the interface to have its name")
    in_force(host)
    detach_all(host, "c1")


@pytest.mark.row(33)
def test_a_rate_holds_in_both_directions_also_after_restarts(
    pair: tuple[Container, Container], figures: Figures
) -> None:
    c1, c2 = pair
    host = c1.host
    host.ovsnet("attach", "c1", "--bridge", "lan", "--ip", "192.168.1.1/24", "--rate", f"{RATE:g}mbit")
    sent, received = mbits(c1, c2), mbits(c1, c2, "-R")
    host.vswitchd_restart()
    c1.restart()
    wait_until(lambda: addresses(c1, "eth1") == {"192.168.1.1/24"}, 10, "the interface to be back")
    in_force(host)
    again = mbits(c1, c2), mbits(c1, c2, "-R")
    figures["Mbit/s sent and received at --rate 20mbit, before and after restarts"] = [
        round(it, 1) for it in (sent, received, *again)
    ]
    assert all(abs(it - RATE) < SLOPPY * RATE for it in (sent, received, *again)), (sent, received, again)
    assert networks.ask(host, "attachments")[0]["rate"] == "20mbit"

    name = port(host, "c1", "eth1")
    host.ovsnet("set", "c1", "--rate", "0")
    assert "tbf" not in c1.inside("tc", "qdisc", "show", "dev", "eth1").stdout
    assert "htb" not in host.run("tc", "qdisc", "show", "dev", name).stdout
    assert host.ovs_vsctl("list", "qos").stdout == ""
    assert mbits(c1, c2) > 2 * RATE
    in_force(host)
    detach_all(host, "c1")


@pytest.mark.long
@pytest.mark.kernel
@pytest.mark.row(33)
def test_what_is_lost_and_late_on_purpose(kernel_host: KernelHost, figures: Figures) -> None:
    host = kernel_host
    c1, _ = networks.start(host, "c1", "c2", network="none")
    host.ovsnet("attach", "c2", "--bridge", "lan", "--ip", "192.168.1.2/24")
    host.ovsnet("attach", "c1", "--bridge", "lan", "--ip", "192.168.1.1/24", "--loss", "30%", "--rate", "20mbit")
    some = lost(c1, "192.168.1.2", pings=1000)
    c1.restart()
    wait_until(lambda: addresses(c1, "eth1") == {"192.168.1.1/24"}, 30, "the interface to be back")
    assert "loss 30%" in c1.inside("tc", "qdisc", "show", "dev", "eth1").stdout
    host.ovsnet("set", "c1", "--loss", "0", "--rate", "0", "--delay", "50ms 10ms")
    late = c1.inside("ping", "-n", "-q", "-i", "0.05", "-c", "20", "192.168.1.2").stdout
    host.ovsnet("set", "c1", "--delay", "0")
    none = lost(c1, "192.168.1.2", pings=100)
    figures["percent of 1000 pings lost at --loss 30%, of 100 without"] = [round(some, 1), round(none, 1)]
    assert (25 <= some <= 35, none) == (True, 0.0)
    assert 45 < float(late.rpartition(" = ")[2].split("/")[1]) < 65, late
    in_force(host)
    detach_all(host, "c1", "c2")
    host.ovs_vsctl("del-br", "lan")
