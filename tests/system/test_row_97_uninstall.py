"""Row 97: the doctor knows the facts, and what is uninstalled is gone, everything of ours and nothing else."""

import json

import pytest
from tests.rig.fixtures import with_agent
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import foreign, networks
from tests.system.networks import BRIDGE
from tests.system.traces import traces

SUBJECTS = {
    "rights", "programs", "kernel", "switch database", "ovs-vswitchd", "datapath", "checksum offload", "flow offload",
    "upcalls", "Docker engine", "plugin socket", "agent", "bridge", "leftovers", "firewall", "uplink", "store",
    "cluster", "cluster ports", "cluster members", "confinement", "trunk",
}  # fmt: skip
BARE = ("network", "create", "-d", "ovsnet", "--ipam-driver", "null")
SUBNETS = ("10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
OURS = ("/var/lib/ovsnet", "/run/ovsnet", "/run/docker/plugins/ovsnet.sock")
# Everything a host has that we could leave something in; what Docker makes for itself is made before.
EVERYTHING = """
set -e -o pipefail
ovs-vsctl list-br
for table in bridge port interface; do ovs-vsctl --columns=name,external_ids list $table; done
ip -o link show | cut -d' ' -f2
nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'
ip route | sort; ip -6 route | sort; ip rule
ls -d /etc/ovsnet /var/lib/ovsnet /run/ovsnet /run/openvswitch/br-* /run/docker/plugins/* 2>/dev/null || true
"""


def doctor(host: Host) -> dict[str, dict[str, str]]:
    found = json.loads(host.ovsnet("doctor", "--json", check=False).stdout)
    return {it["subject"]: it for it in found}


@pytest.mark.row(97)
def test_the_doctor_tells_kernel_switch_engine_and_firewall_of_a_healthy_host(host: NamespaceHost) -> None:
    found = doctor(host)

    assert set(found) == SUBJECTS
    for subject, fact in (
        ("kernel", host.versions.kernel),
        ("ovs-vswitchd", host.versions.ovs),
        ("Docker engine", host.versions.engine),
        ("firewall", "FORWARD policy"),
        ("datapath", "netdev"),
        ("bridge", f"{BRIDGE} is ours"),
    ):
        assert fact in found[subject]["says"], subject
    assert [it for it in found.values() if it["level"] == "problem"] == []
    assert host.ovsnet("doctor", check=False).ok


@pytest.mark.row(97)
def test_the_doctor_names_what_is_wrong_and_what_to_do(module_host: NamespaceHost) -> None:
    host = module_host
    networks.create(host, "web", "10.20.0.0/24")
    networks.start(host, "c1", network="web")
    host.agent.stop()
    host.services("ovs", "stop")
    host.run("sysctl", "-w", "net.ipv4.ip_forward=0")

    said = host.ovsnet("doctor", check=False)
    found = doctor(host)

    assert said.returncode == 1
    for subject, remedy in (
        ("switch database", "systemctl"),
        ("ovs-vswitchd", "systemctl"),
        ("agent", "systemctl start ovsnet"),
        ("plugin socket", "systemctl start ovsnet"),
        ("firewall", "net.ipv4.ip_forward=1"),
        ("leftovers", "ovsnet uninstall"),
    ):
        assert found[subject]["level"] != "ok", subject
        assert remedy in found[subject]["remedy"], subject
        assert found[subject]["remedy"] in " ".join(said.stdout.split()), subject


@pytest.mark.row(97)
def test_uninstall_refuses_while_the_agent_runs(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    with host.container("c1", network="web") as c1, host.container("c2", network="web") as c2:
        before = traces(host)

        refused = host.ovsnet("uninstall", "--yes", check=False)

        assert not refused.ok
        assert "stop it first" in refused.stderr
        assert traces(host) == before
        assert c1.pings(c2.address("web"))


@pytest.mark.row(48, 97)
def test_uninstall_leaves_nothing_of_ours_and_all_of_the_others(fresh_host: NamespaceHost) -> None:
    """The host before the agent ever ran on it, and after; with what an agent leaves that was killed in full work."""
    host = fresh_host
    host.agent.stop()
    host.ovsnet("uninstall", "--yes")
    foreign.set_up(host)
    before, theirs = host.shell(EVERYTHING).stdout, foreign.look(host)

    host.agent.start()
    # Internal: the engine's own gateway bridge, which stays for ever, is not made.
    networks.create(host, "web", *SUBNETS, "--internal", "-o", "vlan=20")
    networks.start(host, "c1", "c2", network="web")
    networks.create(host, "out", "10.40.0.0/24", "-o", "egress=nat")
    networks.create(host, "apart", "10.40.0.0/24", "-o", "egress=nat", "--ipam-opt", "space=x")
    networks.start(host, "c4", network="out")
    containers_are_on_the_lan(host)
    assert host.shell(EVERYTHING).stdout != before
    host.agent.kill_all()
    done = host.ovsnet("uninstall", "--yes")

    assert "left on this host" in done.stdout
    assert host.shell(EVERYTHING).stdout == before
    assert foreign.look(host) == theirs
    assert [path for path in OURS if host.exists(path)] == []
    assert [it for _, it in host.processes().values() if "ovsnet" in it and "log/host" not in it] == []
    assert host.ovsnet("uninstall", "--yes").ok


def containers_are_on_the_lan(host: NamespaceHost) -> None:
    """By a network on an uplink and an interface attached to it: what the NIC had must be its own again afterwards."""
    host.ovsnet("uplink", "add", "eth0")
    host.docker(*BARE, "-o", "mode=uplink", "-o", "uplink=eth0", "lan")
    networks.start(host, "c3", network="lan")
    host.ovsnet("attach", "c3", "--uplink", "eth0", "--vlan", "7", "--ip", "192.0.2.7/24")


@pytest.mark.row(48, 97)
def test_uninstall_gives_the_nic_what_its_bridge_has_also_without_the_store(fresh_host: NamespaceHost) -> None:
    host = fresh_host
    host.ovsnet("uplink", "add", "eth0")
    host.run("ip", "address", "add", "192.0.2.48/32", "dev", "br-eth0")
    wait_until(lambda: "192.0.2.48/32" in host.ovsnet("uplink", "ls").stdout, 5, "the new address to be recorded")
    host.agent.kill_all()
    host.run("rm", "/var/lib/ovsnet/ovsnet.db")
    host.ovsnet("uninstall", "--yes")
    shown = host.shell("ip addr show dev eth0; ip route; ip -6 route").stdout
    for it in ("inet 172.31.0.", "inet6 fd31::", "inet 192.0.2.48/32", "default via 172.31.0.254 dev eth0"):
        assert it in shown
    assert "default via fd31::fe dev eth0" in shown
    assert host.bridges() == []


@pytest.mark.row(97)
def test_uninstall_that_cannot_reach_the_switch_says_so_and_keeps_the_state(module_host: NamespaceHost) -> None:
    host = module_host
    host.services("ovs", "start")
    with_agent(host)
    host.agent.stop()
    host.services("ovs", "stop")

    failed = host.ovsnet("uninstall", "--yes", check=False)

    assert failed.returncode == 1
    assert "systemctl start openvswitch-switch" in failed.stderr
    assert host.exists("/var/lib/ovsnet/ovsnet.db")
    host.services("ovs", "start")
    host.ovsnet("uninstall", "--yes")
    assert BRIDGE not in host.bridges()
