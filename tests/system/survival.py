"""One host whose containers talk while something happens to it, and what they noticed.

a ── numbered datagrams, a TCP connection ──► b      between two containers of network `web`
who is outside ── numbered datagrams ──► s           through a published port
v                                                    what happens to a container happens to this one
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from tests.rig.container import Container, entering
from tests.rig.host import HERE, Host
from tests.rig.outside import Outside
from tests.rig.process import CommandFailed, NotReached, wait_until
from tests.rig.traffic import Flood, FloodResult
from tests.system import networks
from tests.system.traces import Traces, amounts, traces

NETWORK = "web"
SUBNETS = ("10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
PUBLISHED = 7900
HELD = ("python3", str(HERE.parent / "system/held.py"))
STATE_DIR, RUN_DIR = "/var/lib/ovsnet", "/run/ovsnet"
GATEWAY_SIDE = re.compile(r"172\.\d+\.0\.(?!1\b)\d+(?!/)\b")
PID = re.compile(r"\d+")
CLEAN = 5.0
"""Seconds after an event until `ovsnet check` must have nothing to say."""
BACK = 60.0
"""Seconds that a whole host may take until all its containers run again."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the engine says of one container on the network."""

    pid: int
    address: str
    address6: str
    mac: str


@dataclass(frozen=True, slots=True)
class Remains:
    """What must be there afterwards as it was before."""

    of_ours: Traces
    files: frozenset[str]
    addresses: tuple[tuple[str, ...], ...]
    macs: tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """What the parties of one event noticed."""

    pair: FloodResult
    published: FloodResult
    answered: int
    stalled: float
    broken: str


@dataclass
class Scene:
    """The host and its four containers."""

    host: Host
    outside: Outside
    options: tuple[str, ...] = ()
    rate: float = 1000.0
    egress: str = "docker"
    """Whose the published port is: the engine's, or with `nat` ours."""
    engine_up: float = 30.0
    """Seconds that the engine may take to start while no agent is there."""
    seen: Seen | None = field(default=None, init=False)

    def build(self) -> None:
        """A ready agent, the network, the containers."""
        self.host.agent.start(*self.options)
        networks.with_gateway_bridge(self.host)
        networks.create(self.host, NETWORK, *SUBNETS, "-o", f"egress={self.egress}")
        for number, it in enumerate(self.all, 11):
            where = ("--ip", f"10.20.0.{number}", "--ip6", f"fd00:20::{number}")
            more = ("-p", f"{PUBLISHED}:{PUBLISHED}/udp") if it is self.s else ()
            self.host.start_container(it.name, "--restart", "always", *where, *more, network=NETWORK)
        wait_until(self.reachable, BACK, "all containers reach each other")
        wait_until(lambda: self.complaints() == [], BACK, "a host with nothing wrong")

    @cached_property
    def all(self) -> tuple[Container, ...]:
        return tuple(Container(self.host, name) for name in ("sender", "receiver", "server", "victim"))

    @property
    def a(self) -> Container:
        return self.all[0]

    @property
    def b(self) -> Container:
        return self.all[1]

    @property
    def s(self) -> Container:
        return self.all[2]

    @property
    def v(self) -> Container:
        return self.all[3]

    @property
    def address(self) -> str:
        """Of the host, for who is outside."""
        return f"172.31.0.{self.host.name[1:]}"

    # ------------------------------------------------------------ what is noticed

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Everybody talks while the block runs; `seen` has what they noticed."""
        pair = Flood(self.a, self.b, self.b.address(NETWORK), rate=self.rate)
        published = Flood(self.outside, self.s, self.address, rate=self.rate, port=PUBLISHED)
        with ExitStack() as stack:
            server = stack.enter_context(self.b.spawn_inside(*HELD, "serve", "7800", label="held-server"))
            server.wait_for_output("listening")
            client = self.a.spawn_inside(*HELD, "connect", self.b.address6(NETWORK), "7800", label="held")
            stack.enter_context(client)
            client.wait_for_output("connected")
            with pair, published:
                yield
            held = json.loads(client.stop("TERM").stdout.splitlines()[-1])
        self.seen = Seen(pair.result, published.result, held["answered"], held["longest"], held["broken"])

    def reachable(self) -> bool:
        """Every container answers `a` in both families; False while the engine or a container is away."""
        with suppress(CommandFailed, ValueError, KeyError, IndexError):
            first, *others = self._known()
            targets = [it for other in others for it in (other.address, other.address6)]
            pings = " && ".join(f"ping -n -c 1 -W 1 {it}" for it in targets)
            return all(targets) and self.host.run(*entering(first.pid), "sh", "-c", pings, check=False).ok
        return False

    def passes(self) -> bool:
        """Whether datagrams come through the published port."""
        with Flood(self.outside, self.s, self.address, rate=100, port=PUBLISHED) as flood:
            self.outside.run("ping", "-n", "-c", "5", "-i", "0.1", self.address)
        return flood.result.received > 0

    # ------------------------------------------------------------ what must be as before

    def remains(self) -> Remains:
        folders = f"find {STATE_DIR} {RUN_DIR} -type f -o -type s"
        files = frozenset(PID.sub("PID", it) for it in self.host.shell(folders).stdout.split())
        known = self._known()
        addresses = tuple(
            (container.name, it.address, it.address6, *inside)
            for container, it, inside in zip(self.all, known, self._addresses_inside(known), strict=True)
        )
        return Remains(traces(self.host), files, addresses, tuple(it.mac for it in known))

    def _known(self) -> Sequence[Known]:
        """Of all at once, in their order: on a kernel machine each program takes a second to start."""
        found = self.host.docker("inspect", *(it.name for it in self.all)).json()
        ends = ((it["State"]["Pid"], it["NetworkSettings"]["Networks"][NETWORK]) for it in found)
        return [Known(pid, it["IPAddress"], it["GlobalIPv6Address"], it["MacAddress"]) for pid, it in ends]

    def _addresses_inside(self, known: Sequence[Known]) -> Sequence[Sequence[str]]:
        each = (" ".join((*entering(it.pid), "ip", "-j", "addr", "show")) for it in known)
        said = self.host.shell("set -e; " + "; printf '\\f'; ".join(each)).stdout.split("\f")
        found = (networks.read_interfaces(json.loads(it)) for it in said)
        return [sorted(it for one in all_.values() for it in one.addresses if "20" in it) for all_ in found]

    def complaints(self) -> Sequence[str]:
        """What `ovsnet check` says, or why it says nothing."""
        try:
            found = networks.ask(self.host, "check")
        except CommandFailed as error:
            return [str(error)]
        return [str(it) for it in found["items"]]

    def clean_after(self) -> float:
        """Seconds until there is nothing to complain of."""
        began = time.monotonic()
        try:
            wait_until(lambda: self.complaints() == [], BACK, "a clean check")
        except NotReached as error:
            error.add_note("\n".join(self.complaints()))
            raise
        return round(time.monotonic() - began, 1)

    def left_as(self, before: Remains, *, same: bool, deadline: float = CLEAN) -> None:
        """All as before: the very same things, or, where containers were made anew, as many of each."""
        view: Callable[[Remains], object] = _same if same else _alike
        try:
            wait_until(lambda: view(self.remains()) == view(before), deadline, "the host as it was before")
        except NotReached as error:
            error.add_note("\n".join(differences(before, self.remains(), same=same)))
            raise


def _same(it: Remains) -> object:
    """Docker writes its rules in another order after a restart."""
    return replace(it.of_ours, rules=""), rules(it), it.files, it.addresses, it.macs


def _alike(it: Remains) -> object:
    """Of what was made anew, names and MAC addresses are others: no MAC address is given out twice."""
    return amounts(it.of_ours), rules(it), len(it.files), it.addresses


def rules(of: Remains) -> Sequence[str]:
    """The host's packet filter. Docker chooses the address by which it reaches a published port."""
    return sorted(GATEWAY_SIDE.sub("ADDRESS", line.strip()) for line in of.of_ours.rules.splitlines())


def differences(before: Remains, after: Remains, *, same: bool) -> list[str]:
    """For the report of a test that fails."""
    said = [
        f"{name}: {old} before, {amounts(after.of_ours)[name]} now" for name, old in amounts(before.of_ours).items()
    ]
    if same:
        said += [
            f"{name}: gone {sorted(one - other)}, new {sorted(other - one)}"
            for name in Traces.__slots__
            if isinstance(one := getattr(before.of_ours, name), frozenset)
            and one != (other := getattr(after.of_ours, name))
        ]
    old, new = rules(before), rules(after)
    said.append(f"rules: gone {sorted(set(old) - set(new))}, new {sorted(set(new) - set(old))}, {len(old)}/{len(new)}")
    said.append(f"files: gone {sorted(before.files - after.files)}, new {sorted(after.files - before.files)}")
    said.append(f"addresses: {before.addresses} before, {after.addresses} now")
    return said
