"""Rows 34 to 36: attached interfaces that are no port of a switch: dummies, NICs of the host, macvlan and ipvlan."""

import json

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.attached import addresses, detach_all, in_force, interface, is_up

SLOW = 30
"""Seconds a host with a kernel of its own may need."""


def refused(host: Host, *words: str) -> str:
    done = host.ovsnet("attach", "c1", *words, check=False)
    assert not done.ok, done.stdout
    return done.stderr


@pytest.mark.row(36)
def test_two_on_a_nic_reach_each_other_and_not_the_host(module_host: NamespaceHost) -> None:
    host = module_host
    c1, c2 = networks.start(host, "c1", "c2", network="none")
    said = host.ovsnet("attach", "c1", "--macvlan", "eth1", "--ip", "10.99.0.71/24").stdout
    dump = "tcpdump -i eth1 -nn -l -c 1 'arp src host 10.99.0.72' 2>&1"
    with c1.spawn_inside("sh", "-c", dump, label="tcpdump") as seen:
        seen.wait_for_output("listening on")
        host.ovsnet("attach", "c2", "--macvlan", "eth1", "--ip", "10.99.0.72/24", "--ifname", "mac0")
        assert "10.99.0.72" in seen.wait(3).stdout, "the neighbours are told"
    assert "is on macvlan on eth1" in said
    assert "c1 and the host itself do not reach each other; with --uplink eth1 they do" in said
    assert c1.pings("10.99.0.72")
    assert not host.run("ping", "-c1", "-W1", "10.99.0.71", check=False).ok
    c2.restart()
    wait_until(lambda: addresses(c2, "mac0") == {"10.99.0.72/24"} and is_up(c2, "mac0"), 5, "it to be back")
    assert c1.pings("10.99.0.72", wait=5)
    c2.inside("ip", "link", "del", "mac0")
    in_force(host)
    assert addresses(c2, "mac0") == {"10.99.0.72/24"}, "it was looked at and made again"
    host.ovsnet("set", "c2", "--ip", "10.99.0.73/24", "--mtu", "1400")
    assert (addresses(c2, "mac0"), interface(c2, "mac0")["mtu"]) == ({"10.99.0.73/24"}, 1400)

    assert "the kernel would delete with the container" in refused(host, "--nic", "eth1")
    host.agent.kill()
    host.agent.wait_ready()
    in_force(host)
    detach_all(host, "c1")
    assert interface(c1, "eth1") is None
    host.agent.stop()
    host.ovsnet("uninstall", "--yes")
    assert interface(c2, "mac0") is None


@pytest.mark.long
@pytest.mark.kernel
@pytest.mark.row(34, 35, 36)
def test_a_nic_goes_and_comes_back_with_its_name(kernel_host: KernelHost) -> None:
    host = kernel_host
    (c1,) = networks.start(host, "c1", network="none")
    assert "default route" in refused(host, "--nic", "eth0")
    assert "the host would lose 10.99.0." in refused(host, "--nic", "eth1")
    (before,) = json.loads(host.run("ip", "-j", "addr", "show", "eth1").stdout)
    host.shell("ip addr flush dev eth1")
    try:
        nic_and_back(host, c1, before["address"])
        host.ovsnet("attach", "c1", "--dummy", "--ifname", "dummy0", "--ip", "10.9.9.9/32")
        host.ovsnet("attach", "c1", "--ipvlan", "eth1", "--ifname", "ip0", "--ip", "10.99.0.78/24")
        c1.restart()
        wait_until(lambda: addresses(c1, "dummy0") == {"10.9.9.9/32"}, SLOW, "the dummy to be back")
        wait_until(lambda: addresses(c1, "ip0") == {"10.99.0.78/24"}, SLOW, "the ipvlan to be back")
        assert interface(c1, "ip0")["address"] == before["address"]
        in_force(host)
        detach_all(host, "c1")
        assert "dummy0" not in c1.inside("ip", "link").stdout
    finally:
        own = [f"{it['local']}/{it['prefixlen']}" for it in before["addr_info"] if it["scope"] == "global"]
        host.shell("; ".join(["ip link set eth1 up", *(f"ip addr add {it} dev eth1" for it in own)]))


def nic_and_back(host: KernelHost, c1: Container, mac: str) -> None:
    """By its MAC; a killed container, a started one, and detach."""
    host.ovsnet("attach", "c1", "--nic", f"mac:{mac}", "--ifname", "phys0", "--ip", "10.99.0.77/24")
    assert addresses(c1, "phys0") == {"10.99.0.77/24"}
    assert interface(c1, "phys0")["address"] == mac
    assert not host.exists("/sys/class/net/eth1")
    in_force(host)
    host.docker("kill", "c1")
    wait_until(lambda: host.exists("/sys/class/net/eth1"), SLOW, "the NIC to be back from a killed container")
    c1.start()
    wait_until(lambda: addresses(c1, "phys0") == {"10.99.0.77/24"}, SLOW, "the NIC to be inside again")
    host.ovsnet("detach", "c1")
    (link,) = json.loads(host.run("ip", "-j", "link", "show", "eth1").stdout)
    assert (link["address"], link.get("ifalias", "")) == (mac, "")
