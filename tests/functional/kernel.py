"""Network namespaces for tests: one in which the test plays the host, others that play containers."""

import asyncio
import ctypes
import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

from ovsnet.model.delta import diff
from ovsnet.model.host import LinkPlan, Placement, TunnelPlan
from ovsnet.model.ids import Mac, Vni
from ovsnet.model.network import PortKind
from ovsnet.reconcile.appliers import Applier

CLONE_NEWNET = 0x40000000
DEADLINE = 10.0
"""Seconds; generous, since the machine may be busy."""
_numbers = itertools.count(1)


class Named(Protocol):
    """A plan whose resource key is its name."""

    @property
    def name(self) -> str: ...


V = TypeVar("V", bound=Named)


@contextmanager
def private_host() -> Iterator[None]:
    """The calling thread lives in a fresh network namespace; what it starts does so too."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        ip("link", "set", "lo", "up")
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)


class Inside:
    """A namespace that plays a container's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sandbox = f"/run/netns/{name}"

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        return _call("ip", "netns", "exec", self.name, *argv, check=check)

    def links(self) -> Mapping[str, Any]:
        """What `ip` knows of its interfaces, by name."""
        found = json.loads(self.run("ip", "-d", "-j", "addr").stdout)
        return {it["ifname"]: it for it in found}

    def pings(self, address: str, *, wait: float = 3.0) -> bool:
        """True when the address answers within `wait` seconds."""
        return self.run("ping", "-c", "1", "-W", str(wait), address, check=False).returncode == 0


@contextmanager
def container() -> Iterator[Inside]:
    """A namespace of its own, gone afterwards."""
    name = f"ovtest-{os.getpid()}-{next(_numbers)}"
    _call("ip", "netns", "add", name)
    try:
        _call("ip", "-n", name, "link", "set", "lo", "up")
        yield Inside(name)
    finally:
        _call("ip", "netns", "del", name, check=False)


def ip(*argv: str) -> str:
    """Run `ip` where the test is."""
    return _call("ip", *argv).stdout


def links() -> Mapping[str, Any]:
    """What `ip` knows of the interfaces where the test is, by name."""
    return {it["ifname"]: it for it in json.loads(ip("-d", "-j", "addr"))}


def offload(name: str, inside: Inside | None = None) -> bool:
    """True when the interface leaves transmit checksums to others."""
    runner = _call if inside is None else inside.run
    features = runner("ethtool", "-k", name).stdout
    return "tx-checksumming: on" in features


def pair(number: int, *, mtu: int = 1400, offloaded: bool = True, into: Placement | None = None) -> LinkPlan:
    """The plan of a veth pair; the same number is the same endpoint."""
    return LinkPlan(
        name=f"ov{number:011x}",
        kind=PortKind.VETH,
        alias=f"ovsnet:{number:064x}",
        mtu=mtu,
        peer=f"oc{number:011x}",
        mac=Mac(f"0a:00:00:00:{number >> 8:02x}:{number & 255:02x}"),
        checksum_offload=offloaded,
        placement=into,
    )


def internal(number: int, *, into: Placement | None = None) -> LinkPlan:
    """The plan of an internal port's device."""
    return LinkPlan(
        name=f"oi{number:011x}0",
        kind=PortKind.INTERNAL,
        alias=f"ovsnet:{number:064x}",
        mtu=1400,
        mac=Mac(f"0a:00:00:01:{number >> 8:02x}:{number & 255:02x}"),
        placement=into,
    )


def tunnel(number: int, *forwards: tuple[str, str], mtu: int = 1400, local: str = "10.99.0.1") -> TunnelPlan:
    """The plan of a vxlan device on the interface "under"; the same number is the same network."""
    return TunnelPlan(
        name=f"ovx{number:x}",
        vni=Vni(number),
        local=ip_address(local),
        device="under",
        udp_port=4789,
        mtu=mtu,
        alias=f"ovsnet:vxlan:{number}",
        forwards=frozenset((mac, ip_address(vtep)) for mac, vtep in forwards),
    )


def underlay() -> None:
    """The interface that has the host's tunnel addresses: a Linux bridge, so that others can be joined to it."""
    ip("link", "add", "under", "mtu", "1500", "type", "bridge")
    ip("addr", "add", "10.99.0.1/24", "dev", "under")
    ip("addr", "add", "fd99::1/64", "dev", "under", "nodad")
    ip("link", "set", "under", "up")


async def settle(applier: Applier[V], *plans: V) -> list[str]:
    """Have exactly these; returns the texts of the refusals."""
    want = {it.name: it for it in plans}
    return [str(error) for error in await applier.apply(diff(want, applier.have()))]


class Watched(Protocol):
    """An applier that tells when somebody else changed what it has."""

    def watch(self, changed: Callable[[], None]) -> None: ...


class Watch:
    """Counts the nudges of an applier and waits for what follows them."""

    def __init__(self, applier: Watched) -> None:
        self.nudges = 0
        self._nudged = asyncio.Event()
        applier.watch(self._note)

    def _note(self) -> None:
        self.nudges += 1
        self._nudged.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds after a nudge."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._nudged.clear()
                await self._nudged.wait()


def _call(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done
