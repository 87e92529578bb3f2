"""What needs another thing is made after it and goes before it: nothing is refused on the way up or down."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import TunnelPlan
from ovsnet.model.ids import Vni
from ovsnet.reconcile.phases import Kind
from tests.fakes.appliers import FakeApplier
from tests.fakes.host import FakeHost
from tests.states import EMPTY, TWO_ENDPOINTS

LOCAL = ip_address("192.0.2.1")
TUNNEL = TunnelPlan("ovx-10", Vni(10), LOCAL, "eth0", 4789, 1450, "ovsnet:vxlan:10")


class Ports(FakeApplier[Any]):
    """Takes no port without a device, as ovs-vswitchd."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: Sequence[FakeApplier[Any]] = ()

    async def apply(self, delta: Delta[Any]) -> Sequence[ApplyError]:
        there = {name for it in self.devices for name in it.resources}
        refused = [ApplyError(name, "no such device") for name in delta.add if name not in there]
        return [*await super().apply(delta), *refused]


class Devices(FakeApplier[Any]):
    """Does not let a device go that is a port."""

    def __init__(self, ports: Mapping[str, Any]) -> None:
        super().__init__()
        self._ports = ports

    async def apply(self, delta: Delta[Any]) -> Sequence[ApplyError]:
        refused = [ApplyError(name, "still a port") for name in delta.remove if name in self._ports]
        return [*await super().apply(delta), *refused]


def particular() -> FakeHost:
    """A host that refuses what is done in the wrong order."""
    host = FakeHost(TWO_ENDPOINTS)
    ports = Ports()
    devices = {kind: Devices(ports.resources) for kind in (Kind.LINKS, Kind.TUNNELS)}
    ports.devices = tuple(devices.values())
    host.appliers = {**host.appliers, **devices, Kind.PORTS: ports}
    return host


async def test_a_tunnel_is_there_before_its_port_and_goes_after_it() -> None:
    host = particular()
    host.tunnels = {TUNNEL.name: TUNNEL}
    assert (await host.converger().round()).failures == ()
    assert host.appliers[Kind.TUNNELS].resources == {TUNNEL.name: TUNNEL}
    assert TUNNEL.name in host.appliers[Kind.PORTS].resources
    host.state, host.tunnels = EMPTY, {}
    assert (await host.converger().round()).failures == ()
    assert host.appliers[Kind.TUNNELS].resources == {}
    assert host.appliers[Kind.PORTS].resources == {}
