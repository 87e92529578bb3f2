"""Row 94: what is wanted is put back when somebody takes it away, and nobody else's things are touched."""

import difflib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import CommandFailed, wait_until
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import foreign, networks
from tests.system.foreign import OFCTL
from tests.system.networks import BRIDGE
from tests.system.traces import clean, traces

DEADLINE = 5.0
NUMBER = re.compile(r"(?<=in_port=)\d+|(?<=output:)\d+|0x[0-9a-f]+(?=->reg7)|(?<=bucket_id:)\d+")
SUBNETS = ("10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two containers of one network, and the second one's port on the switch."""

    host: NamespaceHost
    c1: Container
    c2: Container
    port: str


def named_on_the_switch(host: NamespaceHost) -> set[str]:
    """The containers that ports of the switch name: the engine tells that after they run."""
    listed = host.ovs_vsctl("--bare", "--columns=external_ids", "list", "port").stdout
    return set(re.findall(r"ovsnet-container-name=(\w+)", listed))


@pytest.fixture(scope="module")
def pair(module_host: NamespaceHost) -> Pair:
    host = module_host
    networks.create(host, "web", *SUBNETS, "-o", "vlan=20")
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    port = wait_until(lambda: networks.port_of(c2, "web"), DEADLINE, "the port of c2 with its name")
    wait_until(lambda: named_on_the_switch(host) == {"c1", "c2"}, DEADLINE, "the names of both on the switch")
    return Pair(host, c1, c2, port)


def delete_port(pair: Pair) -> None:
    pair.host.ovs_vsctl("del-port", pair.port)


def delete_one_flow(pair: Pair) -> None:
    pair.host.shell(f"{OFCTL} --strict del-flows {BRIDGE} table=60,priority=200")


def delete_all_flows_of_a_port(pair: Pair) -> None:
    number = pair.host.ovs_vsctl("get", "interface", pair.port, "ofport").stdout.strip()
    pair.host.shell(f"{OFCTL} del-flows {BRIDGE} in_port={number}")


def change_a_flow(pair: Pair) -> None:
    pair.host.shell(f"{OFCTL} --strict mod-flows {BRIDGE} table=60,priority=200,actions=drop")


def add_a_flow_under_our_cookie(pair: Pair) -> None:
    flow = "cookie=0xf5e010000000000,table=0,priority=900,actions=drop"
    pair.host.shell(f"{OFCTL} add-flow {BRIDGE} {flow}")


def delete_group(pair: Pair) -> None:
    pair.host.shell(f"{OFCTL} del-groups {BRIDGE} group_id={_group(pair)}")


def empty_group(pair: Pair) -> None:
    pair.host.shell(f"{OFCTL} mod-group {BRIDGE} group_id={_group(pair)},type=all,bucket=actions=drop")


def _group(pair: Pair) -> int:
    found = pair.host.shell(f"{OFCTL} --no-stats dump-flows {BRIDGE} table=50 | grep -o 'group:[0-9]*'")
    return int(found.stdout.partition(":")[2])


def delete_veth(pair: Pair) -> None:
    pair.host.run("ip", "link", "delete", pair.port)


def delete_veth_from_inside(pair: Pair) -> None:
    pair.c2.inside("ip", "link", "delete", "eth0")


def shut_veth(pair: Pair) -> None:
    pair.host.run("ip", "link", "set", pair.port, "down")


def change_alias(pair: Pair) -> None:
    pair.host.run("ip", "link", "set", pair.port, "alias", "somebody else's")


def change_mtu(pair: Pair) -> None:
    pair.host.run("ip", "link", "set", pair.port, "mtu", "1300")


def change_tag(pair: Pair) -> None:
    pair.host.ovs_vsctl("set", "port", pair.port, "tag=99")


def remove_our_mark(pair: Pair) -> None:
    pair.host.ovs_vsctl("remove", "port", pair.port, "external_ids", "ovsnet-owner")


def delete_bridge(pair: Pair) -> None:
    pair.host.ovs_vsctl("del-br", BRIDGE)


def change_external_id(pair: Pair) -> None:
    pair.host.ovs_vsctl("set", "port", pair.port, "external_ids:ovsnet-container-name=mallory")


DAMAGES: tuple[Callable[[Pair], None], ...] = (
    delete_port,
    delete_one_flow,
    delete_all_flows_of_a_port,
    change_a_flow,
    add_a_flow_under_our_cookie,
    delete_group,
    empty_group,
    delete_veth,
    delete_veth_from_inside,
    shut_veth,
    change_alias,
    change_mtu,
    change_tag,
    remove_our_mark,
    change_external_id,
)


def in_order(pair: Pair) -> str:
    """Everything that may not differ afterwards: what of ours is on the host, and how c2 sees itself."""
    columns = ("--columns=name,tag,external_ids", "find", "port", f"name={pair.port}")
    described = pair.host.ovs_vsctl(*columns).stdout
    shown = (traces(pair.host), networks.interfaces(pair.c2), described, _link(pair))
    # A port that was made anew may have another number.
    return "\n".join(sorted(re.sub(NUMBER, "NUMBER", "\n".join(map(str, shown)).replace("'", "\n")).splitlines()))


def _looks_like(pair: Pair, before: str) -> bool:
    """False also while it cannot be looked at, as there is no bridge to ask for flows."""
    try:
        return in_order(pair) == before
    except CommandFailed:
        return False


def _link(pair: Pair) -> tuple[str, int, str]:
    shown = pair.host.run("ip", "-j", "link", "show", pair.port, check=False).stdout
    link = json.loads(shown)[0] if shown else {}
    return link.get("ifalias", ""), link.get("mtu", 0), link.get("operstate", "")


def broken_and_repaired(pair: Pair, damage: Callable[[Pair], None]) -> float:
    """Do the damage; seconds until everything is as it was and both families get through. At most five."""
    before = in_order(pair)
    damage(pair)
    began = time.monotonic()
    try:
        wait_until(lambda: _looks_like(pair, before), DEADLINE, f"everything as before {damage.__name__}")
    except AssertionError as error:
        error.add_note("\n".join(difflib.unified_diff(before.splitlines(), in_order(pair).splitlines(), n=0)))
        raise
    took = time.monotonic() - began
    for address in (pair.c2.address("web"), pair.c2.address6("web")):
        assert pair.c1.pings(address, count=3), f"{address} does not answer after {damage.__name__}"
    return took


@pytest.mark.row(94)
def test_a_lost_bridge_is_back_with_everything_on_it(pair: Pair, figures: Figures) -> None:
    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=200) as flood:
        took = broken_and_repaired(pair, delete_bridge)

    figures["seconds until the bridge works again"] = round(took, 2)
    figures["longest time without a packet, seconds"] = round(flood.result.longest_gap, 2)
    assert flood.result.longest_gap < DEADLINE
    clean(pair.host)


@pytest.mark.row(94)
def test_what_somebody_breaks_is_back_within_five_seconds_and_foreign_things_stay(pair: Pair, figures: Figures) -> None:
    foreign.set_up(pair.host)
    foreign.set_up_on_our_bridge(pair.host)
    theirs = foreign.look(pair.host), foreign.look_on_our_bridge(pair.host)

    with Flood(pair.c1, pair.c2, pair.c2.address("web"), rate=200) as flood:
        took = {damage.__name__.replace("_", " "): broken_and_repaired(pair, damage) for damage in DAMAGES}

    figures["seconds until repaired"] = {name: round(seconds, 2) for name, seconds in took.items()}
    figures["longest time without a packet, seconds"] = round(flood.result.longest_gap, 2)
    assert flood.result.longest_gap < DEADLINE
    clean(pair.host)
    assert (foreign.look(pair.host), foreign.look_on_our_bridge(pair.host)) == theirs
