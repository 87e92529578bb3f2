"""Who gets a client, what their interfaces have, and what happens when something goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import ip_interface

import pytest

from ovsnet.dhcp.clients import Running
from ovsnet.dhcp.keeper import RETRY, LeaseKeeper
from ovsnet.model.errors import ApplyError
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import NOTHING, Given, Lease, Lessee
from tests.fakes.clock import jumping

WEB = Lessee(EndpointId("a" * 64), "/run/netns/web", "eth1", (4,), "web")
DB = Lessee(EndpointId("b" * 64), "/run/netns/db", "eth1", (4,), "db")
SEVEN, EIGHT = (Lease((ip_interface(f"192.0.2.{it}/24"),), server="192.0.2.1", expires_at=100.0) for it in (7, 8))


class FakeHost:
    """Clients with state, and the interfaces they are for."""

    def __init__(self) -> None:
        self.wanted: dict[EndpointId, Lessee] = {}
        self.clients: dict[EndpointId, Running] = {}
        self.ends: dict[int, asyncio.Event] = {}
        self.folders: dict[EndpointId, Lessee] = {}
        self.said: dict[EndpointId, Lease] = {}
        self.noted: dict[EndpointId, Given] = {}
        self.interfaces: dict[str, tuple[object, ...]] = {}
        self.index = 7
        self.refuses = ""
        self.slow: asyncio.Event | None = None
        self.released: list[str] = []
        self.starts = 0
        self.heard: Callable[[], None] = lambda: None

    @contextmanager
    def listening(self, heard: Callable[[], None]) -> Iterator[None]:
        self.heard = heard
        yield

    def running(self) -> Mapping[EndpointId, Running]:
        return dict(self.clients)

    def remembered(self) -> frozenset[EndpointId]:
        return frozenset(self.folders)

    def whose(self, lessee: EndpointId) -> Lessee | None:
        return self.folders.get(lessee)

    def lease(self, lessee: EndpointId) -> Lease:
        return self.said.get(lessee, NOTHING)

    def given(self, lessee: EndpointId) -> Given:
        return self.noted.get(lessee, Given())

    def note_given(self, lessee: EndpointId, given: Given) -> None:
        self.noted[lessee] = given

    async def index_of(self, lessee: Lessee) -> int:
        return self.index

    async def start(self, lessee: Lessee) -> None:
        self.starts += 1
        if self.refuses:
            raise ApplyError(lessee.ifname, self.refuses)
        self.folders[lessee.id] = lessee
        self.clients[lessee.id] = Running(lessee, self.starts)

    async def end(self, running: Running) -> None:
        self.released.append(running.lessee.sandbox)
        self.kill(running)

    async def ended(self, running: Running) -> None:
        await self.ends.setdefault(running.pid, asyncio.Event()).wait()

    def kill(self, running: Running) -> None:
        del self.clients[running.lessee.id]
        self.ends.setdefault(running.pid, asyncio.Event()).set()

    def forget(self, lessee: EndpointId) -> None:
        self.folders.pop(lessee, None)
        self.said.pop(lessee, None)
        self.noted.pop(lessee, None)

    async def change(self, lessee: Lessee, before: Lease, after: Lease) -> None:
        if self.refuses:
            raise ApplyError(lessee.ifname, self.refuses)
        if self.slow is not None:
            await self.slow.wait()
        assert self.interfaces.get(lessee.sandbox, ()) == before.addresses
        self.interfaces[lessee.sandbox] = after.addresses

    def want(self, *lessees: Lessee) -> None:
        self.wanted = {it.id: it for it in lessees}

    def say(self, lessee: Lessee, lease: Lease) -> None:
        self.said[lessee.id] = lease
        self.heard()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@asynccontextmanager
async def kept(host: FakeHost) -> AsyncIterator[LeaseKeeper]:
    keeper = LeaseKeeper(lambda: host.wanted, host, host)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keeper.run())
        await rest()
        yield keeper
        running.cancel()


async def rest() -> None:
    """Until nobody has anything left to do at once."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_who_wants_a_lease_gets_a_client_and_its_interface_the_address(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host) as keeper:
        assert host.clients.keys() == {WEB.id}
        host.say(WEB, SEVEN)
        await rest()
        assert host.interfaces == {WEB.sandbox: SEVEN.addresses}
        assert keeper.leases() == {WEB.id: SEVEN}


async def test_another_address_takes_the_place_of_the_first(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host):
        for lease in (SEVEN, EIGHT):
            host.say(WEB, lease)
            await rest()
        assert host.interfaces == {WEB.sandbox: EIGHT.addresses}


async def test_a_lease_that_ran_out_takes_its_address_away(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host):
        for lease in (SEVEN, NOTHING):
            host.say(WEB, lease)
            await rest()
        assert host.interfaces == {WEB.sandbox: ()}
        assert host.clients.keys() == {WEB.id}


async def test_who_wants_none_any_more_gives_it_back_and_is_forgotten(host: FakeHost) -> None:
    host.want(WEB, DB)
    async with kept(host) as keeper:
        for lessee, lease in ((WEB, SEVEN), (DB, EIGHT)):
            host.say(lessee, lease)
        await rest()
        host.want(DB)
        keeper.nudge()
        await rest()
        assert host.released == [WEB.sandbox]
        assert host.folders == {DB.id: DB}
        assert host.interfaces == {WEB.sandbox: (), DB.sandbox: EIGHT.addresses}
        assert keeper.leases() == {DB.id: EIGHT}


async def test_a_container_that_started_again_gets_a_new_lease_at_once(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        again = replace(WEB, sandbox="/run/netns/web-2")
        host.want(again)
        keeper.nudge()
        await rest()
        assert host.released == [WEB.sandbox]
        assert host.clients[WEB.id].lessee == again


async def test_the_next_agent_takes_over_what_runs(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host):
        host.say(WEB, SEVEN)
        await rest()
    host.say(WEB, replace(SEVEN, expires_at=160.0))  # renewed while no agent ran
    async with kept(host) as keeper:
        assert (host.starts, host.released) == (1, [])
        assert host.interfaces == {WEB.sandbox: SEVEN.addresses}
        assert keeper.leases()[WEB.id].expires_at == 160.0


async def test_an_interface_that_was_made_anew_gets_its_address_again(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        host.index, host.interfaces = 9, {}
        keeper.nudge()
        await rest()
        assert host.interfaces == {WEB.sandbox: SEVEN.addresses}


async def test_a_client_is_started_when_its_interface_is_there(host: FakeHost) -> None:
    host.want(WEB)
    host.index = 0
    async with kept(host) as keeper:
        assert host.starts == 0
        host.index = 7
        keeper.nudge()
        await rest()
        assert host.starts == 1


async def test_news_that_comes_while_something_is_done_is_not_missed(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host):
        host.slow = asyncio.Event()
        host.say(WEB, SEVEN)
        await rest()
        host.say(WEB, EIGHT)
        await rest()
        host.slow.set()
        await rest()
        assert host.interfaces == {WEB.sandbox: EIGHT.addresses}


async def test_what_is_to_be_given_back_first_is_not_had_again_at_once(host: FakeHost) -> None:
    host.want(WEB, DB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        await keeper.give_back([WEB.id, EndpointId("nobody")])
        assert host.released == [WEB.sandbox]
        await rest()
        assert host.clients.keys() == {DB.id}
        host.want(DB)
        keeper.nudge()
        await rest()
        assert host.folders == {DB.id: DB}


async def test_a_call_that_ends_while_a_lease_is_given_back_leaves_that_to_the_rounds(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        host.want()
        host.slow = asyncio.Event()
        call = asyncio.create_task(keeper.give_back([WEB.id]))
        await rest()
        call.cancel()
        host.slow.set()
        await rest()
        assert host.interfaces == {WEB.sandbox: ()}
        assert host.folders == {}


async def test_what_an_ended_client_left_goes_with_the_wish(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        host.kill(host.clients[WEB.id])
        host.want()
        keeper.nudge()
        await rest()
        assert host.interfaces == {WEB.sandbox: ()}
        assert host.folders == {}


async def test_what_nobody_wants_when_the_agent_comes_goes(host: FakeHost) -> None:
    host.want(WEB)
    async with kept(host):
        pass
    host.want()
    async with kept(host):
        assert host.released == [WEB.sandbox]
        assert host.folders == {}


@jumping
async def test_a_client_that_ended_is_started_again_after_a_while() -> None:
    host, now = FakeHost(), asyncio.get_running_loop().time
    host.want(WEB)
    async with kept(host):
        began = now()
        host.kill(host.clients[WEB.id])
        await rest()
        assert host.starts == 1
        await asyncio.sleep(RETRY + 1)
        assert host.starts == 2
        assert now() - began < 2 * RETRY


@jumping
async def test_a_server_that_never_answers_is_told_of() -> None:
    host = FakeHost()
    host.want(WEB)
    async with kept(host) as keeper:
        host.kill(host.clients[WEB.id])
        assert keeper.troubles() == {}
        await asyncio.sleep(RETRY + 1)
        assert "eth1 of web: no DHCP server answers" in keeper.troubles()[WEB.id]
        host.say(WEB, SEVEN)
        await rest()
        assert keeper.troubles() == {}


@jumping
async def test_a_refusal_is_told_and_tried_again() -> None:
    host = FakeHost()
    host.want(WEB)
    host.refuses = "dhcpcd is not installed"
    async with kept(host) as keeper:
        assert keeper.troubles() == {WEB.id: "eth1: dhcpcd is not installed"}
        keeper.nudge()
        await rest()
        assert (host.starts, len(keeper.troubles())) == (1, 1)
        host.refuses = ""
        await asyncio.sleep(RETRY + 1)
        assert (host.starts, keeper.troubles()) == (2, {})


async def test_a_new_agent_knows_the_leases_before_it_does_anything(host: FakeHost) -> None:
    host.folders[WEB.id], host.said[WEB.id] = WEB, SEVEN
    keeper = LeaseKeeper(lambda: host.wanted, host, host)
    assert keeper.leases() == {WEB.id: SEVEN}


async def test_a_lease_is_known_before_its_interface_has_it(host: FakeHost) -> None:
    host.slow = asyncio.Event()
    host.want(WEB)
    async with kept(host) as keeper:
        host.say(WEB, SEVEN)
        await rest()
        assert (keeper.leases(), host.interfaces) == ({WEB.id: SEVEN}, {})
        host.slow.set()


async def test_who_is_told_hears_of_every_change(host: FakeHost) -> None:
    told: list[Mapping[EndpointId, Lease]] = []
    host.want(WEB)
    keeper = LeaseKeeper(lambda: host.wanted, host, host, lambda: told.append(dict(keeper.leases())))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keeper.run())
        await rest()
        host.say(WEB, SEVEN)
        await rest()
        keeper.nudge()
        await rest()
        running.cancel()
    assert told[-1] == {WEB.id: SEVEN}
    assert sum(it == {WEB.id: SEVEN} for it in told) == 1
