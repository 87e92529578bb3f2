"""How many pairs wait, when they are made, and who takes one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count as numbered

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Beside, Endpoints
from ovsnet.control.requests import EndpointRequest
from ovsnet.control.spares import QUIET, RETRY, STARTING, New, Spares, Want, filled, fitting
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import EndpointId, Mac
from ovsnet.model.network import Network, NetworkOptions
from ovsnet.model.spare import Spare
from ovsnet.model.state import State
from ovsnet.store.interface import Drop, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.clock import jumping
from tests.states import DB, EMPTY, FAST, ONE_NETWORK, SPARE, SPARES, WEB, WEB_ID, endpoint, state

KERNEL = SwitchFacts(available=True, datapath=Datapath.KERNEL)
USERSPACE = replace(KERNEL, datapath=Datapath.USERSPACE)
NARROW = replace(DB, options=NetworkOptions(mtu=1400))


def clock() -> float:
    """The loop's where there is one: tests jump it."""
    return 1000.0 + asyncio.get_running_loop().time()


class Host:
    """A store, a switch, and a reconciler that is done at once or refuses."""

    def __init__(self, begin: State, count: int = 2) -> None:
        self.store: MemoryStore[State] = MemoryStore(LOCAL, begin)
        self.committer = Committer(self.store)
        self.switch = KERNEL
        self.count = count
        self.refusal: Exception | None = None
        self.awaited: list[int] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        numbers = numbered(1)
        self.new = New(lambda: f"{next(numbers):064x}", clock, lambda: "0a:11:22")
        beside = Beside(offload=lambda: self.switch.datapath is Datapath.KERNEL)
        self.endpoints = Endpoints(
            self.committer, self, clock=clock, new_prefix=lambda: "0a:11:22", deadline=5.0, beside=beside
        )

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Spares]:
        spares = Spares(self.committer, self, lambda: self.switch, self.new, self.count)
        self.store.watch(spares.nudge)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(spares.run())
            yield spares
            running.cancel()

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        self.awaited.append(revision)
        if (meanwhile := self.meanwhile) is not None and not resources:
            self.meanwhile = None
            await meanwhile()
        if self.refusal is not None:
            raise self.refusal

    async def started(self, number: int) -> None:
        """A container with a spare has started."""
        made = await self.endpoints.create(request(number))
        assert made.spare
        await self.endpoints.join(WEB_ID, made.id, f"/run/docker/netns/{number}")

    def reachable(self) -> bool:
        return True

    @property
    def mtus(self) -> list[int]:
        return sorted(it.mtu for it in self.state.spares.values())

    @property
    def state(self) -> State:
        return self.store.snapshot()


def request(number: int, network: Network = WEB, mac: Mac | None = None) -> EndpointRequest:
    wanted = endpoint(number, network)
    return EndpointRequest(id=wanted.id, network_id=network.id, ipv4=wanted.ipv4, mac=mac)


async def passes(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


# ---------------------------------------------------------------- taking


async def test_an_endpoint_takes_a_spare_with_its_mac_and_its_names() -> None:
    host = Host(SPARES)
    made = await host.endpoints.create(request(9))
    assert (made.spare, made.mac) == (SPARE.id, SPARE.mac)
    assert not host.state.spares
    joined = await host.endpoints.join(WEB_ID, made.id, "/run/docker/netns/9")
    assert joined.source == f"oc{SPARE.id[:11]}"


async def test_two_endpoints_never_take_the_same() -> None:
    host = Host(SPARES)
    first, second = await asyncio.gather(host.endpoints.create(request(9)), host.endpoints.create(request(8)))
    assert [first.spare, second.spare] == [SPARE.id, ""]
    assert first.mac != second.mac


async def test_creating_it_again_takes_no_other_one() -> None:
    more = replace(SPARE, id=EndpointId("5b" * 32), mac=Mac("0a:00:00:00:02:02"))
    host = Host(replace(SPARES, spares={it.id: it for it in (SPARE, more)}))
    assert await host.endpoints.create(request(9)) == await host.endpoints.create(request(9))
    assert len(host.state.spares) == 1


async def test_who_chose_a_mac_gets_a_pair_of_his_own() -> None:
    host = Host(SPARES)
    assert (await host.endpoints.create(request(9, mac=Mac("02:00:00:00:00:99")))).spare == ""


async def test_a_spare_whose_mac_somebody_chose_is_left() -> None:
    host = Host(SPARES)
    await host.endpoints.create(request(9, mac=SPARE.mac))
    made = await host.endpoints.create(request(8))
    assert (made.spare, made.mac != SPARE.mac) == ("", True)


@pytest.mark.parametrize("network", [NARROW, FAST], ids=["another MTU", "an internal port"])
async def test_who_needs_another_one_takes_none(network: Network) -> None:
    host = Host(replace(state(WEB, network), spares=SPARES.spares))
    assert (await host.endpoints.create(request(9, network))).spare == ""


def test_what_was_made_for_another_datapath_fits_nobody() -> None:
    assert fitting(SPARES, WEB, offload=True) == SPARE
    assert fitting(SPARES, WEB, offload=False) is None


async def test_where_none_are_made_none_is_taken() -> None:
    store = Committer(MemoryStore(LOCAL, SPARES))
    endpoints = Endpoints(store, Host(EMPTY), clock=lambda: 0.0, new_prefix=lambda: "0a:11:22", deadline=5.0)
    assert (await endpoints.create(request(9))).spare == ""


async def test_a_mac_of_a_spare_is_given_to_nobody_else() -> None:
    host = Host(replace(SPARES, spares={SPARE.id: replace(SPARE, mtu=9000, mac=Mac("0a:11:22:00:00:00"))}))
    assert (await host.endpoints.create(request(9))).mac == "0a:11:22:00:00:01"


# ---------------------------------------------------------------- making


@jumping
async def test_they_are_made_for_every_mtu_that_networks_have() -> None:
    host = Host(state(WEB, NARROW))
    async with host.agent():
        await passes(0.1)
    assert host.mtus == [1400, 1400, 1500, 1500]
    assert len({it.mac for it in host.state.spares.values()}) == 4


@pytest.mark.parametrize(("begin", "size"), [(EMPTY, 2), (state(FAST), 2), (ONE_NETWORK, 0)])
def test_there_are_none_where_nobody_could_use_one(begin: State, size: int) -> None:
    @jumping
    async def look() -> None:
        host = Host(replace(begin, spares=SPARES.spares), size)
        async with host.agent():
            await passes(5)
        assert host.mtus == []

    look()


@jumping
async def test_a_pool_that_is_not_empty_waits_for_a_quiet_second() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent():
        await passes(5)
        await host.started(9)
        await passes(QUIET / 2)
        assert len(host.mtus) == 1
        await passes(QUIET)
        assert len(host.mtus) == 2


@jumping
async def test_an_empty_pool_is_filled_when_all_that_is_wanted_is_in_force() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent():
        await passes(5)
        for number in (9, 8):
            await host.started(number)
        taken = host.state.revision
        await passes(0.01)
        assert len(host.mtus) == 2
        assert taken in host.awaited


@jumping
async def test_none_are_made_while_a_container_starts() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent():
        await passes(5)
        await host.started(9)
        made = await host.endpoints.create(request(8))
        await passes(STARTING / 2)
        assert host.mtus == []
        await host.endpoints.join(WEB_ID, made.id, "/run/docker/netns/8")
        await passes(0.01)
        assert len(host.mtus) == 2


@jumping
async def test_a_container_that_never_joins_is_not_waited_for() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent():
        await passes(5)
        for number in (9, 8):
            await host.endpoints.create(request(number))
        await passes(STARTING + 1)
        assert len(host.mtus) == 2


@jumping
async def test_who_comes_while_the_host_is_waited_for_goes_first() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent():
        await passes(5)
        host.meanwhile = lambda: host.endpoints.create(request(7))
        for number in (9, 8):
            await host.started(number)
        await passes(STARTING / 2)
        assert host.mtus == []
        assert host.state.endpoints[endpoint(7).id].spare == ""


@jumping
async def test_nothing_is_made_while_the_host_refuses_what_somebody_wants() -> None:
    host = Host(ONE_NETWORK)
    host.refusal = Unavailable("Open vSwitch", "away")
    async with host.agent():
        await passes(5)
        assert host.mtus == []
        host.refusal = None
        await passes(RETRY)
        assert len(host.mtus) == 2


@jumping
async def test_another_datapath_has_others() -> None:
    host = Host(ONE_NETWORK)
    async with host.agent() as spares:
        await passes(5)
        before = set(host.state.spares)
        host.switch = USERSPACE
        spares.nudge()
        await passes(5)
    assert len(host.mtus) == 2
    assert not before & set(host.state.spares)
    assert not any(it.offload for it in host.state.spares.values())


@jumping
async def test_nothing_is_decided_while_the_switch_is_not_known() -> None:
    host = Host(replace(ONE_NETWORK, spares={}))
    host.switch = SwitchFacts()
    async with host.agent():
        await passes(5)
    assert host.mtus == []


async def test_the_youngest_goes_where_there_are_too_many() -> None:
    others = [Spare(EndpointId(f"5{n}" * 32), Mac(f"0a:00:00:00:03:0{n}"), 1500, created_at=n) for n in (3, 2, 1)]
    many = replace(ONE_NETWORK, spares={it.id: it for it in others})
    assert filled(many, Want(2, offload=True), Host(EMPTY).new) == [Drop(others[0])]


async def test_macs_of_new_ones_are_nobodys() -> None:
    taken = replace(endpoint(1), mac=Mac("0a:11:22:00:00:00"))
    changes = filled(state(WEB, taken), Want(1, offload=True), Host(EMPTY).new)
    assert [it.value.mac for it in changes if isinstance(it, Put) and isinstance(it.value, Spare)] == [
        "0a:11:22:00:00:01"
    ]
