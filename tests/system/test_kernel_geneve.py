"""Two machines with the kernel datapath, in a cluster whose tunnels are Geneve; then the same with their flows in tc.

There is no NIC here that takes flows over: `tc-policy=skip_hw` leaves them to the kernel's own classifier, which
takes and refuses what a NIC's driver gets to see.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.rig.cluster import await_network, join_command
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system import networks
from tests.system.mixed import OPTIONS, PATIENCE, SLOW, Settled, address_of, lost
from tests.system.networks import ask
from tests.system.parties import Party
from tests.system.reach import answered_again
from tests.system.together import together
from tests.system.traces import clean
from tests.system.underlay import VXLAN, Underlay
from tests.system.ways import seen_after

pytestmark = [pytest.mark.kernel, pytest.mark.long, pytest.mark.row(68)]

VNI, PORT = 6000000, 6081
ETHERNET = b"\0\0\x65\x58"
OFFLOAD = "ovs-vsctl set Open_vSwitch . other_config:hw-offload=true other_config:tc-policy=skip_hw"
NONE_LOST = "0% packet loss"
COUNTED = re.compile(r"on, tc-policy=skip_hw: (\d+) flows handed over, 0 of them to a NIC; (\d+) packets")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two machines, and the container of each."""

    rig: Rig
    hosts: tuple[KernelHost, KernelHost]
    one: Party
    other: Party

    def reach(self) -> None:
        """Each gets to the other by both families, and loses nothing then."""
        for here, there in ((self.one, self.other), (self.other, self.one)):
            answered_again(here.container, (there.ipv4, there.ipv6), "its start", PATIENCE)
            assert lost(here, there.ipv4, there.ipv6) == dict.fromkeys((there.ipv4, there.ipv6), NONE_LOST)


@pytest.fixture(scope="module")
def pair(rig: Rig, versions: dict[str, str]) -> Iterator[Pair]:
    one, other = rig.kernel_hosts(2)
    versions["Open vSwitch"] = one.versions.ovs
    together(lambda it: it.agent.start(*OPTIONS), (one, other))
    init = ("cluster", "init", "--encapsulation", "geneve", "--advertise", address_of(one))
    command = join_command(one.ovsnet(*init, timeout=SLOW).stdout)[1:]
    other.ovsnet(*command, "--advertise", address_of(other), timeout=SLOW)
    more = ("-o", "egress=none", "--ipv6", "--subnet", "fd00:20::/64", "-o", f"vni={VNI}")
    networks.create(one, "web", "10.20.0.0/24", *more)
    parties = together(_furnished, (one, other))
    wait_until(lambda: all(ask(it, "cluster")["endpoints"] == 2 for it in (one, other)), PATIENCE, "both published")
    yield Pair(rig, (one, other), *parties)
    for host in (one, other):
        rig.discard(host)


def _furnished(host: KernelHost) -> Party:
    """Its container, once its engine has the network."""
    await_network(host, "web", PATIENCE)
    name = f"c-{host.name}"
    run = f"docker run -d --init --name {name} --network web busybox:local sleep 1000000 >/dev/null"
    (told,) = host.shell(f"{run} && docker inspect {name}", timeout=SLOW).json()
    it = told["NetworkSettings"]["Networks"]["web"]
    return Party(Settled(host, name), it["MacAddress"], it["IPAddress"], it["GlobalIPv6Address"], "eth0")


def offloaded(host: Host) -> tuple[int, int]:
    """How many flows are in tc, and how many packets went by them, as the doctor has it."""
    findings = json.loads(host.ovsnet("doctor", "--json", check=False, timeout=SLOW).stdout)
    says = next(it["says"] for it in findings if it["subject"] == "flow offload")
    found = COUNTED.match(says)
    assert found, says
    return int(found[1]), int(found[2])


def test_the_kernels_geneve_carries_the_network_and_nothing_is_vxlan(pair: Pair) -> None:
    with Underlay(pair.rig) as underlay:
        pair.reach()
    crossed, vteps = underlay.tunnelled(PORT), set(map(address_of, pair.hosts))
    assert {(it.vni, it.header[:4]) for it in crossed} == {(VNI, ETHERNET)}
    assert {it.source for it in crossed} == {it.target for it in crossed} == vteps
    assert underlay.tunnelled(VXLAN) == []
    assert "genev_sys_6081" in pair.hosts[0].run("ip", "link", "show", "type", "geneve").stdout
    seen_after(*pair.hosts, "up")
    together(clean, pair.hosts)


def test_with_flows_in_tc_everything_goes_on_and_the_counters_rise(pair: Pair, figures: Figures) -> None:
    for host in pair.hosts:
        host.shell(OFFLOAD)
        host.vswitchd_restart()
    pair.reach()
    before = offloaded(pair.hosts[0])
    pair.reach()
    after = offloaded(pair.hosts[0])
    figures["flows in tc, and packets by them, before and after some pings"] = [*before, *after]
    assert min(before[0], after[0]) > 0
    assert after[1] > before[1]
    together(clean, pair.hosts)
    # The owner's setting stays as he set it.
    assert "hw-offload" in pair.hosts[0].ovs_vsctl("get", "Open_vSwitch", ".", "other_config").stdout
