"""Appliers of bridge and ports on a real switch, and what a test does around them."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.functional.switch import DEADLINE, Switch

from ovsnet.model.delta import Delta, diff
from ovsnet.model.host import BridgePlan, Datapath, PortPlan
from ovsnet.model.ids import Vlan
from ovsnet.model.network import PortKind
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch as OurSwitch
from ovsnet.plan.names import ENDPOINT_KEY, OWNER_KEY
from ovsnet.settings import Settings

BRIDGE = "br-ours"
OURS = {OWNER_KEY: "test"}
TABLES = {0: "origin", 10: "guard"}


@dataclass
class Rig:
    """Appliers on a real switch."""

    real: Switch
    switch: OurSwitch
    bridges: BridgeApplier
    ports: PortApplier
    namespaces: list[str] = field(default_factory=list)

    def veth(self, name: str, number: int) -> None:
        """A veth pair whose far end is in a namespace of its own, with an address."""
        inside = f"{self.real.namespace}-{name}"
        if inside not in self.namespaces:
            subprocess.run(["ip", "netns", "add", inside], check=True)
            self.namespaces.append(inside)
        self.real.call("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", inside)
        self.real.call("ip", "link", "set", name, "up")
        self.real.call("ip", "-n", inside, "addr", "add", f"10.9.0.{number}/24", "dev", "eth0")
        self.real.call("ip", "-n", inside, "link", "set", "eth0", "up")

    def close(self) -> None:
        """Take the far ends away."""
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", name], check=True)

    def ping(self, name: str, number: int) -> bool:
        """Whether the far end of `name` reaches another one."""
        inside = f"{self.real.namespace}-{name}"
        said = self.real.call("sh", "-c", f"ip netns exec {inside} ping -c 1 -w 5 -i 0.1 10.9.0.{number} || true")
        return " 0 received" not in said

    def ifindex(self, name: str) -> int | None:
        """What the agent would see in the switch's namespace."""
        found = self.real.call("sh", "-c", f"cat /sys/class/net/{name}/ifindex 2>/dev/null || true")
        return int(found) if found else None

    def forward_everything(self) -> None:
        """Stand in for the pipeline."""
        self.real.ofctl("add-flow", BRIDGE, "priority=1,actions=normal")


@asynccontextmanager
async def running(real: Switch, **settings: Any) -> AsyncIterator[Rig]:
    """Appliers that follow this switch."""
    given = {
        "instance": "test",
        "bridge": BRIDGE,
        "ovsdb_socket": str(real.db_socket),
        "ovs_run_dir": str(real.run_dir),
    }
    switch = OurSwitch(Settings(**{**given, **settings}), deadline=DEADLINE)
    rig = Rig(real, switch, BridgeApplier(switch, TABLES), PortApplier(switch))
    rig.ports = PortApplier(switch, rig.ifindex)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(switch.run())
        await switch.wait_ready(DEADLINE)
        yield rig
        following.cancel()


def bridge(name: str = BRIDGE) -> BridgePlan:
    """Our bridge, as it is planned."""
    return BridgePlan(name, Datapath.USERSPACE, OURS)


def port(name: str, *, vlan: int = 0, **ids: str) -> PortPlan:
    """A port of a veth pair, as it is planned."""
    return PortPlan(name, PortKind.VETH, Vlan(vlan), external_ids={**OURS, ENDPOINT_KEY: f"endpoint of {name}", **ids})


async def converge(applier: Any, *wanted: Any) -> Delta[Any]:
    """Have exactly these; returns what differed."""
    delta = diff({it.name: it for it in wanted}, applier.have())
    assert await applier.apply(delta) == []
    return delta


async def until(rig: Rig, condition: Callable[[], bool]) -> None:
    """Return when it is so, after changes of the database."""
    changed = asyncio.Event()
    rig.switch.watch(changed.set)
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await changed.wait()
            changed.clear()


def everything_but(real: Switch, *ours: str) -> dict[str, list[str]]:
    """The database as text, without the rows that mention one of these names and without what counts up."""
    tables = ("Bridge", "Port", "Interface", "Controller", "Mirror", "QoS")
    listed = {table: real.vsctl("--format=csv", "list", table).splitlines() for table in tables}
    volatile = "Interface"
    listed[volatile] = real.vsctl(
        "--format=csv",
        "--columns=_uuid,name,type,options,external_ids,other_config,mac,ofport,mtu_request",
        "list",
        volatile,
    ).splitlines()
    return {
        table: sorted(it for it in lines if not any(name in it for name in ours)) for table, lines in listed.items()
    }
