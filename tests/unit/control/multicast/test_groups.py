"""Who is asked and when, what is written down, and that a restart changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.multicast.groups import RETRY, Groups
from ovsnet.control.multicast.memberships import LINGER
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import Ofport
from ovsnet.model.listening import EVERYTHING, NOTHING, Listening, to_groups
from ovsnet.model.network import Multicast, NetworkOptions
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.clock import jumping
from tests.states import DB, WEB, endpoint, state
from tests.unit.pipeline.kernel_reports import Kernel, records
from tests.unit.pipeline.scenarios import GROUP as V4

pytestmark = pytest.mark.row(67)
PERIOD = 120.0
JOIN, LEAVE = Kernel().igmp(0x22, records((4, V4, 0))), Kernel().igmp(0x22, records((3, V4, 0)))
FLOOD = replace(DB, options=NetworkOptions(multicast=Multicast.FLOOD))


class Host:
    """A store, a switch that says which ports it has, and ports that note when they were asked."""

    def __init__(self, begin: State) -> None:
        self.store: MemoryStore[State] = MemoryStore(LOCAL, begin)
        self.ofports: dict[str, Ofport] = {}
        self.asked: list[tuple[float, tuple[int, ...]]] = []
        self.switch_answers = True
        for number, it in enumerate(begin.endpoints.values(), 1):
            self.ofports[names.port_name(it, begin.networks[it.network_id])] = Ofport(number)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Groups]:
        """A process that follows the groups of this host."""
        groups = Groups(Committer(self.store), lambda: SwitchFacts(ofports=self.ofports), self._send_out, PERIOD)
        self.store.watch(groups.nudge)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(groups.run())
            yield groups
            running.cancel()

    async def _send_out(self, frames: Sequence[bytes], ports: Sequence[Ofport]) -> None:
        if not self.switch_answers:
            raise Unavailable("Open vSwitch", "away")
        assert len(frames) == 2
        self.asked.append((asyncio.get_running_loop().time(), tuple(ports)))

    def listens(self, one: Endpoint) -> Listening:
        return self.store.snapshot().endpoints[one.id].listens


def quiet(number: int) -> Endpoint:
    return replace(endpoint(number), listens=NOTHING)


async def passes(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


@jumping
async def test_what_is_said_is_written_down_and_what_is_left_is_taken_out() -> None:
    host = Host(state(WEB, quiet(1), quiet(2)))
    async with host.agent() as groups:
        groups.listening()
        groups.heard([(Ofport(1), JOIN), (Ofport(77), JOIN), (Ofport(2), b"nonsense")])
        await passes(1)
        assert host.listens(quiet(1)) == to_groups([V4])
        assert host.listens(quiet(2)) == NOTHING
        groups.heard([(Ofport(1), LEAVE)])
        await passes(LINGER + 1)
        assert host.listens(quiet(1)) == NOTHING


@jumping
async def test_what_is_as_it_was_is_not_written_again() -> None:
    host = Host(state(WEB, quiet(1)))
    async with host.agent() as groups:
        groups.heard([(Ofport(1), JOIN)])
        await passes(1)
        revision = host.store.snapshot().revision
        for _ in range(5):
            groups.heard([(Ofport(1), LEAVE), (Ofport(1), JOIN)])
            await passes(1)
        assert host.store.snapshot().revision == revision


@jumping
async def test_everybody_is_asked_at_the_start_soon_again_and_then_now_and_then() -> None:
    host = Host(state(WEB, quiet(1), quiet(2)))
    async with host.agent() as groups:
        await passes(10)
        assert host.asked == []  # nobody would hear the answers
        groups.listening()
        await passes(3 * PERIOD)
    times = [round(when) for when, ports in host.asked if ports == (1, 2)]
    assert times == [10, 40, 160, 280]


@jumping
async def test_everybody_is_asked_when_something_may_have_been_missed_and_newcomers_at_once() -> None:
    host = Host(state(WEB, quiet(1)))
    async with host.agent() as groups:
        groups.listening()
        await passes(1)
        groups.listening()
        await passes(1)
        assert [ports for _, ports in host.asked] == [(1,), (1,)]
        host.ofports = {}
        groups.nudge()
        await passes(1)
        host.ofports = {names.port_name(quiet(1), WEB): Ofport(9)}
        groups.nudge()
        await passes(1)
        assert [ports for _, ports in host.asked][2:] == [(9,)]


@jumping
async def test_a_query_that_failed_is_sent_again() -> None:
    host = Host(state(WEB, quiet(1)))
    host.switch_answers = False
    async with host.agent() as groups:
        groups.listening()
        await passes(5)
        host.switch_answers = True
        await passes(2 * RETRY + 1)
        assert [ports for _, ports in host.asked] == [(1,)]


@jumping
async def test_a_restart_goes_on_with_what_was_known_and_forgets_who_does_not_answer() -> None:
    host = Host(state(WEB, quiet(1), quiet(2)))
    async with host.agent() as groups:
        groups.heard([(Ofport(1), JOIN), (Ofport(2), JOIN)])
        await passes(1)
    before = host.store.snapshot()
    async with host.agent() as groups:
        groups.listening()
        await passes(10)
        assert host.store.snapshot() is before
        for _ in range(3):
            groups.heard([(Ofport(2), JOIN)])
            await passes(PERIOD)
        assert (host.listens(quiet(1)), host.listens(quiet(2))) == (NOTHING, to_groups([V4]))


@jumping
async def test_who_was_never_asked_gets_everything_until_the_answer_is_due() -> None:
    host = Host(state(WEB, endpoint(1)))
    async with host.agent() as groups:
        groups.listening()
        groups.heard([(Ofport(1), JOIN)])
        await passes(PERIOD)
        assert host.listens(endpoint(1)) == EVERYTHING
        groups.heard([(Ofport(1), JOIN)])
        await passes(PERIOD + 20)
        assert host.listens(endpoint(1)) == to_groups([V4])


@jumping
async def test_on_a_network_that_sends_every_group_to_all_nobody_is_asked_or_written_down() -> None:
    host = Host(state(FLOOD, endpoint(1, FLOOD)))
    async with host.agent() as groups:
        groups.listening()
        groups.heard([(Ofport(1), JOIN)])
        await passes(5 * PERIOD)
    assert host.asked == []
    assert host.listens(endpoint(1, FLOOD)) == EVERYTHING


@jumping
async def test_while_nobody_can_be_heard_or_asked_nothing_is_given_up() -> None:
    host = Host(state(WEB, quiet(1), endpoint(2)))
    async with host.agent() as groups:
        groups.listening()
        groups.heard([(Ofport(1), JOIN)])
        await passes(1)
        groups.deaf()
        await passes(100 * PERIOD)
        groups.nudge()
        await passes(1)
        assert (host.listens(quiet(1)), host.listens(endpoint(2))) == (to_groups([V4]), EVERYTHING)
        groups.listening()
        await passes(2 * PERIOD)  # a whole life to answer
        assert (host.listens(quiet(1)), host.listens(endpoint(2))) == (to_groups([V4]), EVERYTHING)
        await passes(20)
        assert (host.listens(quiet(1)), host.listens(endpoint(2))) == (NOTHING, NOTHING)


@jumping
async def test_while_the_switch_takes_no_queries_nothing_is_given_up() -> None:
    host = Host(state(WEB, quiet(1)))
    async with host.agent() as groups:
        groups.listening()
        groups.heard([(Ofport(1), JOIN)])
        await passes(1)
        host.switch_answers = False
        await passes(10 * PERIOD)
        assert host.listens(quiet(1)) == to_groups([V4])
        host.switch_answers = True
        await passes(PERIOD)
        assert host.listens(quiet(1)) == to_groups([V4])
        await passes(2 * PERIOD)
        assert host.listens(quiet(1)) == NOTHING
