"""An uplink is tried, confirmed or put back; what is found unconfirmed is put back."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.uplink_rules import Situation, Wish
from ovsnet.control.uplinks import Uplinks
from ovsnet.model.datapath import Datapath
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.host import HostFacts
from ovsnet.model.ids import IpAddress
from ovsnet.model.state import State
from ovsnet.model.uplink import Carrier, Hold, NicFacts, Phase, Uplink
from ovsnet.plan.uplinks import plan_of, plan_uplinks
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.clock import jumping
from tests.unit.plan.test_uplinks import CONNECTED, DEFAULT, DEFAULT6, ETH0, OWN, OWN6

NIC = NicFacts("eth0", "", "", ETH0.settings, (OWN, OWN6), (CONNECTED, DEFAULT, DEFAULT6))
GATEWAY, GATEWAY6 = ip_address("192.0.2.1"), ip_address("fd00:2::1")
NOW = 1000.0


class World:
    """The host, the guards and the reconciler of one test: `answering` on which interface, and what is refused."""

    def __init__(self, *known: Uplink) -> None:
        self.store = MemoryStore(LOCAL, State(uplinks={it.nic: it for it in known}))
        self.now = Situation(NIC, Datapath.USERSPACE, "this boot")
        self.answering: dict[str, Collection[IpAddress]] = {"eth0": (GATEWAY, GATEWAY6), "br-eth0": (GATEWAY, GATEWAY6)}
        self.refusal: OvsnetError | None = None
        self.nics: frozenset[str] = frozenset()
        self.guard_gone = asyncio.Event()
        self.said: list[str] = []
        self.moves: list[bool] = []
        self.uplinks = Uplinks(Committer(self.store), self, self, self, lambda: NOW)

    # Host: as a reconciler that is done at once
    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        assert self.store.snapshot().revision == revision
        wanted = plan_uplinks(self.store.snapshot(), HostFacts(trials=self.nics))
        self.moves += [wanted[it].moved for it in resources]
        if self.refusal is not None and self.moves[-1]:
            raise self.refusal

    # Trials
    @asynccontextmanager
    async def guarded(self, uplink: Uplink, seconds: float) -> AsyncIterator["World"]:
        assert uplink.nic not in self.store.snapshot().uplinks, "the guard comes before everything else"
        self.nics = frozenset({uplink.nic})
        try:
            yield self
        finally:
            self.nics = frozenset()

    async def keep(self) -> None:
        self.said.append("keep")
        if self.guard_gone.is_set():
            raise Unavailable("the guard of the move", "gone")

    async def lost(self) -> None:
        await self.guard_gone.wait()

    async def was_put_back(self) -> None:
        self.said.append("back")

    # Here
    def situation(self, nic: str, bridge: str) -> Situation:
        return self.now

    def moved(self, uplink: Uplink) -> Any:
        return (OWN,), (CONNECTED,)

    async def answers(self, address: IpAddress, device: str, neighbour: bool, deadline: float) -> bool:
        if address in self.answering[device]:
            return True
        await asyncio.sleep(deadline)
        return False

    @property
    def known(self) -> dict[str, Uplink]:
        return dict(self.store.snapshot().uplinks)


@jumping
async def test_a_move_that_is_confirmed_is_in_force() -> None:
    world = World()
    said = await world.uplinks.add(Wish("eth0"))
    assert "eth0 is the uplink of br-eth0" in said
    assert world.known["eth0"] == replace(
        ETH0, phase=Phase.IN_FORCE, probes=(GATEWAY, GATEWAY6), created_at=NOW, boot="this boot"
    )
    assert (world.moves, world.said) == ([True], ["keep"])


@jumping
async def test_who_answered_before_must_answer_afterwards() -> None:
    world = World()
    world.answering["br-eth0"] = (GATEWAY,)
    with pytest.raises(Conflict, match="fd00:2::1 answered before, and does not through br-eth0"):
        await world.uplinks.add(Wish("eth0"))
    assert world.known == {}
    assert (world.moves, world.said) == ([True, False], ["back"])


@jumping
async def test_who_did_not_answer_before_need_not_afterwards() -> None:
    world = World()
    world.answering = {"eth0": (GATEWAY,), "br-eth0": (GATEWAY,)}
    await world.uplinks.add(Wish("eth0"))
    assert world.known["eth0"].probes == (GATEWAY,)


@jumping
async def test_nothing_is_done_while_nobody_answers() -> None:
    world = World()
    world.answering["eth0"] = ()
    with pytest.raises(Conflict, match="does not answer on eth0 now"):
        await world.uplinks.add(Wish("eth0"))
    assert (world.known, world.moves) == ({}, [])
    await world.uplinks.add(Wish("eth0", force=True))
    assert world.known["eth0"].phase is Phase.IN_FORCE


@jumping
async def test_without_a_gateway_somebody_must_be_named() -> None:
    world = World()
    world.now = replace(world.now, nic=replace(NIC, routes=(CONNECTED,)))
    with pytest.raises(Conflict, match="--probe"):
        await world.uplinks.add(Wish("eth0"))
    await world.uplinks.add(Wish("eth0", probe=GATEWAY))
    assert world.known["eth0"].probes == (GATEWAY,)


@jumping
async def test_a_nic_without_addresses_has_nothing_to_lose() -> None:
    world = World()
    world.now = replace(world.now, nic=NicFacts("eth0", settings=ETH0.settings))
    await world.uplinks.add(Wish("eth0"))
    assert world.known["eth0"].phase is Phase.IN_FORCE


@jumping
async def test_a_host_that_refuses_is_as_it_was() -> None:
    world = World()
    world.refusal = ApplyError("eth0", "no such device")
    with pytest.raises(Conflict, match="eth0 was not moved to br-eth0, and is as it was: eth0: no such device"):
        await world.uplinks.add(Wish("eth0"))
    assert world.known == {}


@jumping
async def test_a_guard_that_is_gone_ends_the_trial() -> None:
    world = World()
    world.guard_gone.set()
    world.answering["br-eth0"] = ()
    with pytest.raises(Conflict, match="the guard of the move is gone"):
        await world.uplinks.add(Wish("eth0"))
    assert world.known == {}


@pytest.mark.parametrize("phase", [Phase.TRYING, Phase.LEAVING])
def test_what_is_found_unconfirmed_is_put_back_and_forgotten(phase: Phase) -> None:
    @jumping
    async def found() -> None:
        world = World(replace(ETH0, phase=phase))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(world.uplinks.run())
            await asyncio.sleep(0)
            running.cancel()
        assert world.moves == [False]
        assert world.known == {}

    found()


@jumping
async def test_a_second_order_for_it_changes_nothing() -> None:
    world = World(ETH0)
    assert "already" in await world.uplinks.add(Wish("eth0"))
    assert "already" in await world.uplinks.add(Wish("eth0", bridge="br-eth0"))
    with pytest.raises(Conflict, match="uplink rm eth0"):
        await world.uplinks.add(Wish("eth0", bridge="br-other"))
    assert (world.known, world.moves) == ({"eth0": ETH0}, [])


@jumping
async def test_what_the_bridge_has_now_goes_back_to_the_nic() -> None:
    world = World(ETH0)
    recorded: list[Uplink] = []
    world.store.watch(lambda: recorded.extend(world.store.snapshot().uplinks.values()))
    assert "eth0 has its addresses and routes back" in await world.uplinks.remove("eth0")
    assert recorded == [replace(ETH0, phase=Phase.LEAVING, addresses=(OWN,), routes=(CONNECTED,))]
    assert (world.known, world.moves) == ({}, [False])


@jumping
async def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(NotFound, match="eth0 is no uplink"):
        await World().uplinks.remove("eth0")


@jumping
async def test_a_bridge_with_ports_of_others_is_not_taken_away() -> None:
    world = World(ETH0)
    world.now = replace(world.now, bridge=Carrier("br-eth0", True, Datapath.USERSPACE, frozenset({"eth0", "vm1"})))
    with pytest.raises(Conflict, match="vm1"):
        await world.uplinks.remove("eth0")
    assert world.known == {"eth0": ETH0}


@jumping
async def test_a_nic_in_somebodys_bridge_is_noted_and_forgotten_and_never_touched() -> None:
    world = World()
    theirs = Carrier("br-lan", False, Datapath.KERNEL, frozenset({"eth0"}))
    world.now = replace(world.now, carrier=theirs, bridge=theirs)
    assert "nothing was changed" in await world.uplinks.add(Wish("eth0"))
    assert world.known["eth0"].hold is Hold.NOTED
    await world.uplinks.remove("eth0")
    assert (world.known, world.moves) == ({}, [])


async def test_a_port_of_which_no_mac_is_known_is_refused() -> None:
    """The record of such a one could not be read again."""
    world = World()
    theirs = Carrier("br-lan", False, Datapath.KERNEL, frozenset({"dpdk0"}))
    world.now = replace(world.now, nic=NicFacts("dpdk0"), carrier=theirs, bridge=theirs)
    with pytest.raises(Conflict, match="neither dpdk0 nor its bridge br-lan is an interface"):
        await world.uplinks.add(Wish("dpdk0"))
    assert world.known == {}


@jumping
async def test_what_was_moved_after_a_boot_is_recorded() -> None:
    world = World(ETH0)
    world.uplinks.note(plan_of(ETH0, moved=True), (OWN6,), (DEFAULT6,), "the next boot")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.uplinks.run())
        await asyncio.sleep(0)
        running.cancel()
    assert world.known["eth0"] == replace(ETH0, addresses=(OWN6,), routes=(DEFAULT6,), boot="the next boot")


@jumping
async def test_what_somebody_gives_the_bridges_port_is_recorded() -> None:
    world = World(ETH0, replace(ETH0, nic="eth1", bridge="br-lan", hold=Hold.PLUGGED))
    world.uplinks.look()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.uplinks.run())
        await asyncio.sleep(0)
        running.cancel()
    assert world.known["eth0"] == replace(ETH0, addresses=(OWN,), routes=(CONNECTED,))
    assert world.known["eth1"].addresses == ETH0.addresses, "what else a bridge of theirs has is not the NIC's"


# ---------------------------------------------------------------- what is refused

OURS = Carrier("br-eth0", False, Datapath.USERSPACE)


@pytest.mark.parametrize(
    ("wish", "changes", "words"),
    [
        (Wish("eth0"), {"nic": replace(NIC, obstacle="it is a bond")}, "it is a bond"),
        (Wish("eth0"), {"taken": True}, "no bridge of Open vSwitch"),
        (Wish("eth0"), {"reserved": {"eth0": "it is the trunk"}}, "it is the trunk"),
        (Wish("eth0", bridge="br-ovsnet"), {"reserved": {"br-ovsnet": "it is ours"}}, "it is ours"),
        (Wish("eth0", bridge="br-b"), {"carrier": OURS}, "eth0 is a port of the bridge br-eth0"),
        (Wish("eth0", bridge="eth0"), {}, "cannot have the NIC's name"),
        (Wish("eth0", bridge="a name"), {}, "no name of an interface"),
        (Wish("enp130s0f1np1"), {}, "give --bridge"),
        (Wish("eth0", commit_within=1.0), {}, "10 to 600 seconds"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(wish: Wish, changes: dict[str, Any], words: str) -> None:
    @jumping
    async def refused() -> None:
        world = World()
        world.now = replace(world.now, **changes)
        with pytest.raises((Conflict, BadRequest), match=words):
            await world.uplinks.add(wish)
        assert (world.known, world.moves) == ({}, [])

    refused()


@jumping
async def test_a_bridge_has_one_uplink() -> None:
    world = World(ETH0)
    with pytest.raises(Conflict, match="eth0 is the uplink of br-eth0"):
        await world.uplinks.add(Wish("eth1", bridge="br-eth0"))
