"""A host for fault injection: a real switch, namespaces that play containers, and the reconciler with real appliers.

    World        the host, which outlives processes; what is there is read from the outside (`shown`)
    Life         the part of an agent that changes the host, made as agent/main.py makes it; it may end by `Death`

What is wanted is a list of states, one after the other: no store and no engine is needed.
"""

import asyncio
import ctypes
import json
import os
import re
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.functional.boundary import Boundary, Death
from tests.functional.kernel import CLONE_NEWNET, Inside, container, ip
from tests.functional.switch import DEADLINE, Switch, private_switch

from ovsnet.agent.compose import compiler, planner
from ovsnet.linux.devices import DeviceApplier
from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.insides import InsideApplier
from ovsnet.linux.journal import journal_of
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.localport import bring_up
from ovsnet.linux.nft import RuleChanges
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.datapath import Datapath
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import HostFacts, HostPlan
from ovsnet.model.overlay import Overlay
from ovsnet.model.state import State
from ovsnet.observe.drift import compare
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch as OurSwitch
from ovsnet.reconcile.converge import Converger, Round
from ovsnet.reconcile.loop import Loop
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings

BRIDGE, INSTANCE = "br-ours", "test"
RETRY = 0.01
PATIENCE = 10.0
"""Seconds until all that is wanted is there, and nothing else."""
LOOK, LOOKS = 10.0, 4
THEIRS = """
table inet theirs {
    chain forward { type filter hook forward priority 5; policy accept; }
}
table ip filter {
    chain FORWARD { type filter hook forward priority filter; policy drop; }
    chain DOCKER-USER {
        counter return
    }
}
table ip6 filter {
    chain FORWARD { type filter hook forward priority filter; policy drop; }
}
"""
CLIENT = "198.51.100.1"
LED = re.compile(r"^ipv4 .* udp .* dst=(\S+) sport=40000 dport=(\d+) .*src=(\S+) dst=\S+ sport=(\d+)")
NICS = ("nic0", "nic1")
ORDINARY_QUEUES = ("noqueue", "fq_codel", "pfifo_fast")
VOLATILE = re.compile(r"counter packets \d+ bytes \d+|expires \d+sec|link-netnsid \d+| linkdown|refcnt \d+")


class World:
    """What outlives a process. The calling thread is in its namespace."""

    def __init__(self, switch: Switch, containers: tuple[Inside, Inside]) -> None:
        self.switch = switch
        self.c1, self.c2 = containers
        self.boundary = Boundary()
        self.looks: dict[str, list[dict[str, Any]]] = {}
        """How it looks at the stations of a way without a fault, by the way's name."""
        self.settings = Settings(
            instance=INSTANCE,
            bridge=BRIDGE,
            ovsdb_socket=str(switch.db_socket),
            ovs_run_dir=str(switch.run_dir),
            run_dir=str(switch.run_dir / "ovsnet"),
            datapath="netdev",
        )

    def furnish(self) -> None:
        """What is somebody else's, and must stay as it is."""
        self.switch.add_bridge("theirs", datapath="netdev")
        self.switch.vsctl("add-port", "theirs", "theirs0", "--", "set", "interface", "theirs0", "type=internal")
        self.switch.ofctl("add-flow", "theirs", "cookie=0x77,priority=7,actions=normal")
        for nic in NICS:
            ip("link", "add", nic, "type", "veth", "peer", "name", f"{nic}far")
            ip("link", "set", nic, "alias", f"what {nic} was")
        ip("link", "set", "nic0", "up")  # the other one comes back as the kernel leaves it: down
        ip("addr", "add", f"{CLIENT}/32", "dev", "nic0")
        ip("link", "add", "eth1", "mtu", "1600", "up", "type", "bridge")
        ip("addr", "add", "10.99.0.1/24", "dev", "eth1")
        self.switch.call("nft", "-f", "-", stdin=THEIRS)
        for it in (self.c1, self.c2):
            it.run("ip", "addr", "add", "198.51.100.7/32", "dev", "lo")
            it.run("ip", "rule", "add", "from", "198.51.100.7", "lookup", "77", "priority", "50")
            it.run("ip", "route", "add", "198.51.100.99/32", "dev", "lo", "table", "77")

    def send_by_udp(self, port: int) -> None:
        """A datagram of one who sends there again and again: the kernel remembers where it led him."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            it.bind((CLIENT, 40000))
            it.sendto(b"?", (CLIENT, port))

    def shown(self) -> dict[str, Any]:
        """All that is there, whoever made it."""
        return shown(self.switch, BRIDGE, {"c1": self.c1, "c2": self.c2}, also=("theirs",))


@contextmanager
def world() -> Iterator[World]:
    """The calling thread is in the switch's namespace meanwhile."""
    with ExitStack() as stack:
        switch = stack.enter_context(private_switch())
        containers = stack.enter_context(container()), stack.enter_context(container())
        stack.enter_context(_entered(f"/run/netns/{switch.namespace}"))
        it = World(switch, containers)
        it.furnish()
        yield it


@contextmanager
def _entered(path: str) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(there)
        os.close(before)


# ------------------------------------------------------------------------- looking from the outside


def shown(switch: Switch, bridge: str, containers: Mapping[str, Inside], also: Sequence[str] = ()) -> dict[str, Any]:
    """All that is on a host, whoever made it, without numbers that a thing gets by chance. Of our own flows it is told
    how many there are: they have such numbers in them.
    """
    database = switch.vsctl(
        *("-f", "json", "--columns=name,tag,trunks,vlan_mode,external_ids", "list", "Port"),
        *("--", "--columns=name,type,external_ids,error", "list", "Interface"),
        *("--", "--columns=name,external_ids,other_config", "list", "Bridge"),
        *("--", "--columns=type,external_ids,other_config", "list", "QoS"),
    )
    tables = [json.loads(it) for it in database.splitlines() if it]
    ours = f'"{bridge}"' in database
    return {
        "database": sorted(_without_links(row) for it in tables for row in it["data"]),
        "flows": len(switch.flows(bridge)) if ours else 0,
        "groups": len(switch.groups(bridge)) if ours else 0,
        "their flows": [flow for it in also for flow in switch.flows(it)],
        "rules": sorted(_lines(switch.call("nft", "-s", "list", "ruleset"))),
        "led": sorted({it for it in map(_led, switch.call("cat", "/proc/net/nf_conntrack").splitlines()) if it}),
        "host": _inside(switch.namespace),
        **{name: _inside(it.name) for name, it in containers.items()},
    }


def _led(connection: str) -> str:
    """Where somebody's datagrams go who sends them from one port."""
    found = LED.match(connection)
    led = found is not None and found[1] != found[3]
    return "{} port {} leads to {} port {}".format(*found.groups()) if found and led else ""


def _without_links(row: Sequence[Any]) -> str:
    """A link's number in the kernel is beside its port, and is another one each time."""
    return re.sub(r'\["ovsnet-ifindex","\d+"\],?', "", json.dumps(row, separators=(",", ":")))


def _inside(namespace: str) -> dict[str, Any]:
    """The links of a namespace with all they have."""
    links, rules4, routes4 = _ip(namespace, "", "addr show", "rule show", "route show table all")
    rules6, routes6 = _ip(namespace, "-6", "rule show", "route show table all")
    queues = json.loads(_called("tc", "-j", "-n", namespace, "qdisc", "show") or "[]")
    return {
        "links": sorted(map(_link, links)),
        "rules": [json.dumps(it, sort_keys=True) for it in (*rules4, *rules6)],
        "routes": sorted(map(_route, filter(_is_ordinary, (*routes4, *routes6)))),
        "queues": sorted(_queue(it) for it in queues if it["kind"] not in ORDINARY_QUEUES),
    }


def _ip(namespace: str, family: str, *commands: str) -> list[list[dict[str, Any]]]:
    """What several commands of ip(8) tell, by one process."""
    words = ("ip", "-j", "-d", "-n", namespace, *family.split(), "-batch", "-")
    said, found = _called(*words, stdin="\n".join(commands)), []
    while said:
        answer, end = json.JSONDecoder().raw_decode(said)
        found.append(answer)
        said = said[end:].strip()
    return found


def _called(*words: str, stdin: str = "") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def _link(it: Mapping[str, Any]) -> str:
    kind, group = it.get("linkinfo", {}).get("info_kind", ""), it.get("group", "")
    own = sorted(f"{a['local']}/{a['prefixlen']}" for a in it["addr_info"] if a["scope"] == "global")
    state = "up" if "UP" in it["flags"] else "down"
    return f"{it['ifname']} {kind} {state} mtu {it['mtu']} group {group} alias {it.get('ifalias')} has {own}"


def _queue(it: dict[str, Any]) -> str:
    it.get("options", {}).pop("seed", None)
    it.pop("refcnt", None)
    return json.dumps(it, sort_keys=True)


def _is_ordinary(route: Mapping[str, Any]) -> bool:
    """The kernel makes the others by itself, of IPv6 some time later."""
    special = route.get("type", "unicast") != "unicast" or route.get("table") == "local"
    return not special and not str(route["dst"]).startswith(("fe80:", "ff00:"))


def _route(route: Mapping[str, Any]) -> str:
    kept = ("dst", "gateway", "dev", "table", "metric", "prefsrc", "scope", "protocol")
    return json.dumps({key: route[key] for key in kept if key in route}, sort_keys=True)


def _lines(text: str) -> list[str]:
    return [VOLATILE.sub("", it).strip() for it in text.splitlines()]


def differing(must: Any, shown: Any, where: str = "") -> list[str]:
    """In words, by the names of what is not as it must be."""
    if isinstance(must, dict) and isinstance(shown, dict):
        keys = sorted(must.keys() | shown.keys())
        return [one for it in keys for one in differing(must.get(it), shown.get(it), f"{where}/{it}")]
    if isinstance(must, list) and isinstance(shown, list):
        more, less = Counter(shown) - Counter(must), Counter(must) - Counter(shown)
        return [*(f"{where}: is there: {it}" for it in more), *(f"{where}: is not there: {it}" for it in less)]
    return [] if must == shown else [f"{where}: {shown} in place of {must}"]


# ------------------------------------------------------------------------- a process


@dataclass(frozen=True)
class Station:
    """What is wanted at one time, and the tunnels that there are then."""

    state: State = field(default_factory=State)
    overlay: Overlay | None = None


@dataclass
class Wanted:
    """Which of some stations is wanted; each other one is a newer revision."""

    stations: Sequence[Station]
    at: int = 0
    revision: int = 1

    def go(self, at: int) -> None:
        """From now on that one."""
        self.at, self.revision = at, self.revision + 1

    def snapshot(self) -> State:
        return replace(self.stations[self.at].state, revision=self.revision)

    def facts(self, switch: OurSwitch) -> HostFacts:
        """What planning may depend on."""
        return HostFacts(switch.facts(), self.stations[self.at].overlay)


class Life:
    """One process, which brings the host to what is wanted."""

    def __init__(self, world: World, wanted: Wanted, after_round: Callable[[Round], None]) -> None:
        self._world = world
        self._wanted = wanted
        self._after_round = after_round
        self._turned = asyncio.Event()
        self.loop: Loop

    def _note(self, _: Round, after: Round) -> None:
        self._after_round(after)
        self._turned.set()

    async def run(self, script: Callable[["Life"], Any]) -> bool:
        """From the process's beginning until the script has ended, or `Death`; True when it lived until then."""
        lived = False
        try:
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                ports = HostPorts()
                stack.callback(ports.keep, ())  # as the kernel does it at the end of a process
                links = await stack.enter_async_context(LinkApplier())
                tunnels = await stack.enter_async_context(TunnelApplier())
                switch = OurSwitch(self._world.settings, deadline=DEADLINE)
                self.loop = self._built(switch, links, tunnels, ports)
                running = [group.create_task(switch.run())]
                await switch.wait_ready(DEADLINE)
                stack.enter_context(RuleChanges(lambda: self.loop.nudge(Kind.FIREWALL)))
                running.append(group.create_task(self.loop.run()))
                await script(self)
                lived = True
                for it in running:
                    it.cancel()
        except* Death:
            pass
        return lived

    def _built(self, switch: OurSwitch, links: LinkApplier, tunnels: TunnelApplier, ports: HostPorts) -> Loop:
        settings, run_dir = self._world.settings, self._world.settings.ovs_run_dir
        flows = FlowApplier(BRIDGE, run_dir, is_ours=lambda: switch.ports.our_bridge() is not None, deadline=DEADLINE)
        converger = Converger(
            {
                Kind.BRIDGES: BridgeApplier(switch, bring_up=bring_up),
                Kind.LINKS: links,
                Kind.DEVICES: DeviceApplier(journal=journal_of(settings.run_dir, Kind.DEVICES)),
                Kind.INSIDES: InsideApplier(journal_of(settings.run_dir, Kind.INSIDES)),
                Kind.TUNNELS: tunnels,
                Kind.PORTS: PortApplier(switch),
                Kind.FLOWS: flows,
                Kind.UPLINKS: Nothing(),
                Kind.FIREWALL: FirewallApplier(settings.instance, ports),
            },
            self._wanted.snapshot,
            lambda: self._wanted.facts(switch),
            _plan,
            lambda state, facts: compiler()(state, _as_kernel(facts)),
        )
        loop = Loop(converger, retry=RETRY, resync=1000, after_round=self._note)
        switch.watch(loop.nudge)
        links.watch(loop.nudge)
        tunnels.watch(loop.nudge)
        return loop

    async def settled(self) -> str:
        """What is refused for good; "" once all that is wanted is in force."""
        self.loop.nudge()
        try:
            async with asyncio.timeout(PATIENCE):
                while not (self.loop.last.clean and self.loop.last.revision == self._wanted.revision):
                    self._turned.clear()
                    await self._turned.wait()
        except TimeoutError:
            return f"still refused: {'; '.join(map(str, self.loop.last.failures))}"
        return ""

    async def drift(self) -> list[str]:
        """What `ovsnet check` goes on saying."""
        async with asyncio.timeout(LOOK):
            for _ in range(LOOKS):
                compared = await self.loop.compared(LOOK)
                found = [it for kind, (want, have) in compared.items() for it in compare(kind, want, have)]
                if not found:
                    break
        return [f"{it.kind} {it.key} {it.state}: want {it.want}, have {it.have}" for it in found]


class Nothing:
    """Of uplinks there are none."""

    def have(self) -> Mapping[str, Any]:
        return {}

    async def resync(self) -> None:
        """Nothing to read."""

    async def apply(self, delta: Delta[Any]) -> Sequence[ApplyError]:
        return []


def _as_kernel(facts: HostFacts) -> HostFacts:
    """Internal ports are not planned for the userspace datapath, as they do not survive its restart: no matter here."""
    return replace(facts, switch=replace(facts.switch, datapath=Datapath.KERNEL))


def _plan(state: State, facts: HostFacts) -> HostPlan:
    host = planner(BRIDGE, INSTANCE)(state, _as_kernel(facts))
    bridges = {name: replace(it, datapath=Datapath.USERSPACE) for name, it in host.bridges.items()}
    links = {name: replace(it, checksum_offload=False) for name, it in host.links.items()}
    return replace(host, bridges=bridges, links=links)
