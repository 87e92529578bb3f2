"""A host with a NIC, and the router it is reached by, for moving the NIC into a bridge.

router ns: lan ──── eth0: the switch's namespace, in which the test is, too
"""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.functional.kernel import CLONE_NEWNET, Inside
from tests.functional.switch import DEADLINE, Switch

from ovsnet.agent.uplinks import turn
from ovsnet.linux.nics import Nics
from ovsnet.model.datapath import Datapath
from ovsnet.model.uplink import Hold, Phase, Uplink
from ovsnet.ovs.switch import Switch as OurSwitch
from ovsnet.ovs.uplinks import Uplinks as Bridges
from ovsnet.reconcile.uplinks import Bridges as AnyBridges
from ovsnet.reconcile.uplinks import Nics as AnyNics
from ovsnet.reconcile.uplinks import UplinkApplier
from ovsnet.settings import Settings

ROUTER, ROUTER6 = "192.0.2.1", "fd00:2::1"
HOST, HOST6 = "192.0.2.10", "fd00:2::10"
# A NIC as configured by somebody thorough: several addresses, a label, routes with metrics and in other tables.
CONFIGURED = f"""
addr add {HOST}/24 brd + dev eth0
addr add 192.0.2.11/24 dev eth0 label eth0:1
addr add 198.51.100.9/32 dev eth0
addr add {HOST6}/64 dev eth0 nodad
addr add fd00:2::11/64 dev eth0 nodad
route add default via {ROUTER} dev eth0 metric 100 proto static src {HOST}
route add 203.0.113.0/24 via 192.0.2.254 dev eth0 mtu 1400
route add default via {ROUTER} dev eth0 table 100
route add 10.9.0.0/16 dev eth0 scope link table 100
route add default via {ROUTER6} dev eth0 metric 50
route add fd01::/64 via {ROUTER6} dev eth0 table 100
"""


@dataclass
class Lan:
    """The host, as a person at its console sees it."""

    real: Switch
    router: Inside
    settings: Settings
    switch: OurSwitch

    def ip(self, *words: str) -> str:
        return self.real.call("ip", *words)

    def applier(self, bridges: AnyBridges | None = None, nics: AnyNics | None = None) -> UplinkApplier:
        """One with an empty memory."""
        return UplinkApplier(bridges or Bridges(self.switch), nics or Nics("test"), lambda: turn(self.settings))

    def uplink(self, *, bridge: str = "br-eth0", hold: Hold = Hold.OWN) -> Uplink:
        """What is recorded of the NIC before it is moved."""
        nics = Nics("test")
        found = nics.look("eth0")
        assert found.obstacle == ""
        return Uplink(
            nic="eth0",
            bridge=bridge,
            hold=hold,
            phase=Phase.IN_FORCE,
            datapath=Datapath.USERSPACE,
            settings=found.settings,
            addresses=found.addresses,
            routes=found.routes,
            probes=(ip_address(ROUTER),),
            boot=nics.boot(),
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when it is so, after changes of the switch's database."""
        changed = asyncio.Event()
        self.switch.watch(changed.set)
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await changed.wait()
                changed.clear()

    def shown(self, name: str = "eth0") -> str:
        """Addresses and routes as `ip` shows them."""
        words = (("addr", "show"), ("-4", "route", "show", "table", "all"), ("-6", "route", "show", "table", "all"))
        return "".join(self.ip(*it, "dev", name) for it in words)

    def reached(self) -> bool:
        """Whether the router reaches the host by both families."""
        return self.router.pings(HOST) and self.router.pings(HOST6)

    def reaches(self) -> bool:
        """Whether the host reaches the router."""
        script = f"ping -n -q -c 1 -w 3 {ROUTER} && ping -n -q -c 1 -w 3 {ROUTER6}"
        return " 0% packet loss" in self.real.call("sh", "-c", f"({script}) 2>&1 || true")


@asynccontextmanager
async def lan(real: Switch, folder: Path) -> AsyncIterator[Lan]:
    """The host with its NIC configured, its agent's parts following the switch."""
    settings = Settings(
        instance="test", ovsdb_socket=str(real.db_socket), ovs_run_dir=str(real.run_dir), run_dir=str(folder)
    )
    with _router(real) as router, entered(real.namespace):
        switch = OurSwitch(settings, deadline=DEADLINE)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(switch.run())
            try:
                await switch.wait_ready(DEADLINE)
                yield Lan(real, router, settings, switch)
            finally:
                following.cancel()


@contextmanager
def _router(real: Switch) -> Iterator[Inside]:
    name = f"{real.namespace}-router"
    router = Inside(name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        real.call("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan", "netns", name)
        for words in (f"addr add {ROUTER}/24 dev lan", f"addr add {ROUTER6}/64 dev lan nodad", "link set lan up"):
            router.run("ip", *words.split())
        # A wire fills in checksums; a veth leaves them to whoever has the packet in the end.
        router.run("ethtool", "-K", "lan", "tx", "off")
        real.call("ethtool", "-K", "eth0", "tx", "off")
        # Nobody is asked for its own address, which takes two seconds; later it is as on any host.
        real.call("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
        real.call("ip", "link", "set", "eth0", "up")
        real.call("ip", "-batch", "-", stdin=CONFIGURED)
        real.call("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
        yield router
    finally:
        # With the namespace alone the pair goes some time later, and the next test makes another one of that name.
        subprocess.run(["ip", "-n", name, "link", "del", "lan"], check=False)
        subprocess.run(["ip", "netns", "del", name], check=True)


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """The calling thread lives in that namespace; what it starts does so too."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    inside = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert libc.setns(inside, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)
        os.close(inside)
