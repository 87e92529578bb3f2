"""Leases from a real server, by the real client, on the interface of a namespace that plays a container's."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_interface
from pathlib import Path

import pytest
from tests.functional.dhcp_server import DEADLINE, Server, lan
from tests.functional.kernel import Inside, container, ip, private_host

from ovsnet.dhcp.clients import Clients
from ovsnet.dhcp.keeper import LeaseKeeper
from ovsnet.dhcp.places import Places
from ovsnet.linux import interface, leased
from ovsnet.linux.namespace import opened, run_inside
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import NOTHING, Lease, Lessee

pytestmark = pytest.mark.functional
MAC = "0a:00:00:00:00:07"
ID = EndpointId("7" * 64)
RESERVED = ip_interface("192.0.2.77/24")
ANNOUNCED = "2001:db8:77:0:800:ff:fe00:7/64"


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        yield


@pytest.fixture
def inside() -> Iterator[Inside]:
    with container() as it:
        yield it


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(str(tmp_path / "run"), str(tmp_path / "kept"))


@pytest.fixture
def server(tmp_path: Path, inside: Inside) -> Iterator[Server]:
    with lan(tmp_path, inside, mac=MAC, reserved=MAC) as it:
        yield it


class Agent:
    """What one process of ours does about leases."""

    def __init__(self, places: Places, *wanted: Lessee) -> None:
        self.wanted = {it.id: it for it in wanted}
        self.clients = Clients(places)
        self.keeper = LeaseKeeper(lambda: self.wanted, self.clients, leased, self._note)
        self._changed = asyncio.Event()

    def _note(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def want(self, *wanted: Lessee) -> None:
        self.wanted = {it.id: it for it in wanted}
        self.keeper.nudge()

    def lease(self) -> Lease:
        return self.keeper.leases().get(ID, NOTHING)

    def pid(self) -> int:
        return self.clients.running()[ID].pid


@asynccontextmanager
async def agent(places: Places, *wanted: Lessee) -> AsyncIterator[Agent]:
    it = Agent(places, *wanted)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(it.keeper.run())
        yield it
        running.cancel()


async def bring_up(inside: Inside, *, autoconf: bool = False) -> None:
    with opened(inside.sandbox) as namespace:
        await run_inside(namespace, lambda: interface.heed_routers("eth1", autoconf=autoconf))
    inside.run("ip", "link", "set", "eth1", "up")


def addresses(inside: Inside) -> set[str]:
    found = inside.links()["eth1"]["addr_info"]
    return {f"{it['local']}/{it['prefixlen']}" for it in found if it["scope"] == "global"}


async def had(inside: Inside, lease: Lease) -> set[str]:
    """Its addresses once it has those: it gets them after everybody was told."""
    wanted = {str(it) for it in lease.addresses}
    async with asyncio.timeout(DEADLINE):
        while not wanted <= addresses(inside):  # noqa: ASYNC110 - by the kernel, in another namespace
            await asyncio.sleep(0.05)
    return addresses(inside)


def web(inside: Inside, families: tuple[int, ...] = (4,)) -> Lessee:
    return Lessee(ID, inside.sandbox, "eth1", families, "web")


@pytest.mark.row(75)
async def test_a_lease_is_had_kept_and_given_back(inside: Inside, server: Server, places: Places) -> None:
    await bring_up(inside)
    async with agent(places, web(inside, (4, 6))) as first:
        await first.until(lambda: len(first.lease().addresses) == 2)
        pid = first.pid()
        held = await had(inside, first.lease())
        assert str(RESERVED) in held
        assert any(it.startswith("2001:db8:77::1") and it.endswith("/128") for it in held)
        assert any("client provides name: web" in it for it in server.said("web"))
        routes = inside.run("ip", "route").stdout
        assert "default via 192.0.2.1 dev eth1" in routes
        assert "198.51.100.0/24 via 192.0.2.9 dev eth1" in routes
    # Nobody but the client is there, and it renews.
    renewals = len(server.said("DHCPACK(lan) 192.0.2.77"))
    await server.says("DHCPACK(lan) 192.0.2.77", times=renewals + 2)
    assert addresses(inside) == held
    async with agent(places, web(inside, (4, 6))) as second:
        assert second.lease().addresses == first.lease().addresses
        await server.says("DHCPACK(lan) 192.0.2.77", times=len(server.said("DHCPACK(lan) 192.0.2.77")) + 1)
        assert second.pid() == pid
        assert not server.said("DHCPDISCOVER")[1:], "the next agent began anew"
        second.want()
        await server.says("DHCPRELEASE(lan) 192.0.2.77")
        await second.until(lambda: not second.clients.remembered())
        assert addresses(inside) == set()
        assert not second.clients.running()


@pytest.mark.row(75)
async def test_a_client_goes_after_its_container_even_without_an_agent(
    inside: Inside, server: Server, places: Places
) -> None:
    await bring_up(inside)
    async with agent(places, web(inside)) as it:
        await it.until(lambda: it.lease().addresses == (RESERVED,))
        await had(inside, it.lease())
        gone = os.pidfd_open(it.pid())
    ip("netns", "del", inside.name)  # the client is in it: it lives on without a name
    await server.says("DHCPRELEASE(lan) 192.0.2.77")
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(gone, over.set)
    async with asyncio.timeout(DEADLINE):
        await over.wait()
    asyncio.get_running_loop().remove_reader(gone)
    os.close(gone)


@pytest.mark.row(77)
async def test_an_interface_gains_what_a_router_announces(inside: Inside, server: Server) -> None:
    await bring_up(inside, autoconf=True)
    await server.says("RTR-ADVERT(lan)")
    async with asyncio.timeout(DEADLINE):
        while addresses(inside) != {ANNOUNCED}:  # noqa: ASYNC110 - by the kernel, in another namespace
            await asyncio.sleep(0.05)
    assert inside.run("ip", "-6", "route", "show", "default").stdout.startswith("default via fe80::")
