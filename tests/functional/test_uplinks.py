"""A NIC and its addresses move into a bridge and back: a real switch, a real kernel, a router that must be reached."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from tests.functional.port_rig import everything_but
from tests.functional.switch import Switch, private_switch
from tests.functional.uplink_rig import HOST, HOST6, ROUTER, ROUTER6, Lan, lan
from tests.rows import Figures

from ovsnet.agent.uplinks import Trials
from ovsnet.linux.hostchanges import HostChanges
from ovsnet.linux.neighbour import answers
from ovsnet.linux.nics import Nics
from ovsnet.model.delta import Delta, diff
from ovsnet.model.ids import IpAddress
from ovsnet.model.uplink import Hold, Uplink, UplinkPlan
from ovsnet.ovs.uplinks import Uplinks as Bridges
from ovsnet.plan.uplinks import plan_of
from ovsnet.reconcile.uplinks import UplinkApplier

pytestmark = [pytest.mark.functional, pytest.mark.row(48)]


@pytest.fixture(scope="module")
def real() -> Iterator[Switch]:
    with private_switch() as switch:
        yield switch


@pytest.fixture
async def here(real: Switch, tmp_path: Path) -> AsyncIterator[Lan]:
    async with lan(real, tmp_path) as it:
        yield it
    for bridge in real.vsctl("list-br").split():
        real.vsctl("del-br", bridge)
    real.call("nft", "flush", "ruleset")


async def have(applier: UplinkApplier, *plans: UplinkPlan) -> list[str]:
    """Have exactly these; what was refused."""
    await applier.resync()
    delta = diff({it.nic: it for it in plans}, applier.have())
    return [str(it) for it in await applier.apply(delta)]


# ---------------------------------------------------------------- there and back


async def test_a_nic_moves_with_all_it_has_and_comes_back_the_same(here: Lan) -> None:
    before, uplink, applier = here.shown(), here.uplink(), here.applier()
    there, back = plan_of(uplink, moved=True), plan_of(uplink, moved=False)

    assert await have(applier, there) == []

    assert here.reached() and here.reaches()  # noqa: PT018
    assert " inet" not in here.shown("eth0")
    assert here.shown("br-eth0").replace("br-eth0", "eth0").splitlines()[2:4] == before.splitlines()[2:4]
    assert routes(here.shown("br-eth0")) == routes(before)
    assert mac(here, "br-eth0") == mac(here, "eth0") == uplink.settings.mac
    assert applier.have() == {"eth0": there}

    assert await have(applier, back) == []

    same(here, before)
    assert here.reached() and here.reaches()  # noqa: PT018
    assert here.real.vsctl("list-br") == ""
    assert "test-uplink" not in here.real.call("nft", "list", "ruleset")


async def test_the_second_time_nothing_is_written(here: Lan) -> None:
    there = plan_of(here.uplink(), moved=True)
    assert await have(here.applier(), there) == []
    counting = Counting(here)

    assert await have(counting.applier(), there) == []

    assert counting.changes == 0


async def test_the_host_hears_each_packet_once(here: Lan) -> None:
    """In the userspace datapath its own stack gets a copy from the NIC, too."""
    assert await have(here.applier(), plan_of(here.uplink(), moved=True)) == []
    for address in (HOST, HOST6):
        said = here.router.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "3", address).stdout
        assert "3 received" in said
        assert "DUP" not in said


async def test_hardly_a_packet_is_lost_on_the_way(here: Lan, figures: Figures) -> None:
    there, applier = plan_of(here.uplink(), moved=True), here.applier()
    back = plan_of(here.uplink(), moved=False)
    out = await asyncio.create_subprocess_exec(
        *("ping", "-n", "-q", "-i", "0.002", "-c", "1000", ROUTER), stdout=asyncio.subprocess.PIPE
    )
    assert await have(applier, there) == []
    assert await have(applier, back) == []
    said, _ = await out.communicate()
    lost = 1000 - int(said.decode().partition(" received")[0].rpartition(" ")[2])
    figures["pings of 1000, 500 a second, lost there and back"] = lost
    assert lost <= 50, "that would be a tenth of a second"


async def test_an_address_that_comes_to_the_nic_later_moves_too(here: Lan) -> None:
    there, applier = plan_of(here.uplink(), moved=True), here.applier()
    assert await have(applier, there) == []
    here.ip("addr", "del", "192.0.2.11/24", "dev", "br-eth0")  # its owner's business
    here.ip("addr", "add", "192.0.2.77/24", "dev", "eth0")

    assert await have(applier, there) == []

    assert here.router.pings("192.0.2.77")
    assert " inet" not in here.shown("eth0")
    assert "192.0.2.11/" not in here.shown("br-eth0")


# ---------------------------------------------------------------- whatever breaks


class Broken(BaseException):
    """The process is killed."""


class Counting:
    """Bridges and NICs whose n-th change breaks off, before or after it was made."""

    READS = frozenset(
        {"plugged", "exists", "fault", "settled", "tso", "read", "boot", "is_shut", "carrier", "bridge", "look"}
    )

    def __init__(self, here: Lan, breaks_at: int = 0, *, done: bool = False) -> None:
        self.changes = 0
        self._here = here
        self._breaks_at = breaks_at
        self._done = done

    def applier(self) -> UplinkApplier:
        return self._here.applier(Proxy(Bridges(self._here.switch), self), Proxy(Nics("test"), self))

    def strikes(self) -> bool:
        self.changes += 1
        return self.changes == self._breaks_at

    @property
    def done(self) -> bool:
        return self._done


class Proxy:
    """Whatever it stands for, until its counting strikes."""

    def __init__(self, real: object, counting: Counting) -> None:
        self._real = real
        self._counting = counting

    def __getattr__(self, name: str) -> Any:
        called: Callable[..., Any] = getattr(self._real, name)
        if name in Counting.READS:
            return called
        return self._later(called) if asyncio.iscoroutinefunction(called) else self._now(called)

    def _now(self, called: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            strikes = bool(not given or given[1:] != ([],)) and self._counting.strikes()
            if strikes and not self._counting.done:
                raise Broken
            result = called(*given, **named)
            if strikes:
                raise Broken
            return result

        return call

    def _later(self, called: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*given: Any, **named: Any) -> Any:
            strikes = self._counting.strikes()
            if strikes and not self._counting.done:
                raise Broken
            result = await called(*given, **named)
            if strikes:
                raise Broken
            return result

        return call


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_a_move_that_is_killed_anywhere_is_put_back_or_goes_on(here: Lan, *, done: bool) -> None:
    before, uplink = here.shown(), here.uplink()
    there, back = plan_of(uplink, moved=True), plan_of(uplink, moved=False)
    for at in itertools.count(1):
        if not await broken(here, there, at, done=done):
            break
        assert await have(here.applier(), back) == [], at
        same(here, before, at)
        await broken(here, there, at, done=done)
        assert await have(here.applier(), there) == [], at
        assert routes(here.shown("br-eth0")) == routes(before), at
        assert here.reaches(), at
        assert await have(here.applier(), back) == [], at
        same(here, before, at)
    assert at > 6


async def test_putting_back_that_is_killed_anywhere_is_ended_by_the_next(here: Lan) -> None:
    before, uplink = here.shown(), here.uplink()
    there, back = plan_of(uplink, moved=True), plan_of(uplink, moved=False)
    for at in itertools.count(1):
        assert await have(here.applier(), there) == [], at
        if not await broken(here, back, at):
            break
        assert await have(here.applier(), back) == [], at
        same(here, before, at)
    same(here, before)


async def broken(here: Lan, plan: UplinkPlan, at: int, *, done: bool = False) -> bool:
    """Whether it was broken off at its n-th change."""
    try:
        await Counting(here, at, done=done).applier().apply(Delta(add={"eth0": plan}, change={}, remove={}))
    except Broken:
        return True
    return False


# ---------------------------------------------------------------- the switch restarts, the host boots


@pytest.mark.parametrize("ends", ["killed", "with its devices"])
async def test_a_restarted_switch_is_ridden_out(here: Lan, ends: str) -> None:
    """Killed, it leaves its devices as they are; told to take them along, it makes others, which have nothing."""
    before, uplink, applier = here.shown(), here.uplink(), here.applier()
    there = plan_of(uplink, moved=True)
    assert await have(applier, there) == []

    if ends == "killed":
        here.real.stop_daemon()
    else:
        here.real.end_daemon()
    here.real.start_daemon()
    await applier.resync()
    assert applier.have() == ({"eth0": there} if ends == "killed" else {})
    assert await have(applier, there) == []

    assert here.reached() and here.reaches()  # noqa: PT018
    assert routes(here.shown("br-eth0")) == routes(before)


# ---------------------------------------------------------------- bridges of others


@pytest.mark.row(16)
async def test_a_bridge_of_somebody_else_is_used_and_left_as_it_was(here: Lan) -> None:
    here.real.add_bridge("br-theirs", datapath="netdev")
    here.real.ofctl("add-flow", "br-theirs", "cookie=0x77,priority=7,actions=normal")
    here.real.vsctl(
        "set", "bridge", "br-theirs", f"other_config:hwaddr={mac(here, 'eth0')}", "external_ids:whose=theirs"
    )
    looks = look(here), here.shown()
    uplink = here.uplink(bridge="br-theirs", hold=Hold.PLUGGED)
    applier = here.applier()
    await here.until(lambda: Bridges(here.switch).exists(plan_of(uplink, moved=True)))

    assert await have(applier, plan_of(uplink, moved=True)) == []
    assert here.reached() and here.reaches()  # noqa: PT018
    assert here.real.flows("br-theirs") == looks[0][1]
    assert await have(applier, plan_of(uplink, moved=False)) == []

    assert (look(here), here.shown()) == looks


def look(here: Lan) -> tuple[dict[str, list[str]], list[str]]:
    return everything_but(here.real, "eth0"), here.real.flows("br-theirs")


# ---------------------------------------------------------------- the guard


@pytest.mark.parametrize("agent", ["is silent", "dies"])
async def test_the_guard_puts_back_what_nobody_confirms(here: Lan, agent: str) -> None:
    before, uplink = here.shown(), here.uplink()
    trials = Trials(here.settings)
    async with trials.guarded(uplink, 1.0 if agent == "is silent" else 60.0) as trial:
        assert trials.nics == {"eth0"}
        assert await have(here.applier(), plan_of(uplink, moved=True)) == []
        assert here.shown() != before
        if agent == "is silent":
            await trial.lost()
    assert trials.nics == frozenset()

    await shown_again(here, before)
    assert here.real.vsctl("list-br") == ""
    assert here.reached()


async def test_a_guard_that_is_told_so_lets_it_be(here: Lan) -> None:
    uplink = here.uplink()
    async with Trials(here.settings).guarded(uplink, 60.0) as trial:
        assert await have(here.applier(), plan_of(uplink, moved=True)) == []
        await trial.keep()
        await trial.lost()  # it has ended
    assert here.reached()
    assert here.real.vsctl("list-ports", "br-eth0").split() == ["eth0"]


async def shown_again(here: Lan, before: str) -> None:
    """Until it is so, by the kernel's events; the guard is another process."""
    changed = asyncio.Event()
    with HostChanges(lambda _: changed.set()):
        async with asyncio.timeout(20):
            while here.shown() != before or here.real.vsctl("list-br"):
                changed.clear()
                try:
                    async with asyncio.timeout(0.2):
                        await changed.wait()
                except TimeoutError:
                    continue


# ---------------------------------------------------------------- neighbours


@pytest.mark.parametrize(("address", "expected"), [(ROUTER, True), (ROUTER6, True), ("192.0.2.99", False)])
async def test_the_kernel_asks_neighbours(here: Lan, address: str, *, expected: bool) -> None:
    asked: IpAddress = parsed(address)
    assert await answers(asked, "eth0", 3.0 if expected else 0.5) is expected
    assert await answers(asked, "eth0", 3.0 if expected else 0.2) is expected


async def test_a_neighbour_that_was_known_and_has_gone_does_not_answer(here: Lan) -> None:
    assert await answers(parsed(ROUTER), "eth0", 3.0)
    here.router.run("ip", "link", "set", "lan", "down")
    assert not await answers(parsed(ROUTER), "eth0", 1.0)


# ---------------------------------------------------------------- words


def same(here: Lan, before: str, at: int = 0) -> None:
    """The NIC has, byte by byte, what it had."""
    now = here.shown()
    assert now == before, "\n".join([f"broken off at {at}", *unified_diff(before.splitlines(), now.splitlines(), n=0)])


def parsed(text: str) -> IpAddress:
    from ipaddress import ip_address  # noqa: PLC0415

    return ip_address(text)


def routes(shown: str) -> list[str]:
    """Of the text, the routes that do not come and go with the device, whichever it is."""
    lines: Sequence[str] = [it for it in shown.splitlines() if not it.startswith((" ", "local", "multicast"))]
    return [it for it in lines if not it[:2].rstrip(":").isdigit() and "fe80" not in it]


def mac(here: Lan, name: str) -> str:
    return here.ip("-br", "link", "show", name).split()[2]


def recorded(uplink: Uplink) -> int:
    return len(uplink.addresses)
