"""Multicast with kernels that join and leave, on a real switch: heard, asked, and forwarded by what they said."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from tests.functional.groups import to_group
from tests.functional.pipeline_switch import BRIDGE, Container, PipelineSwitch, number, pipeline_switch
from tests.states import WEB, endpoint, state
from tests.unit.pipeline.kernel_reports import Kernel, records
from tests.unit.pipeline.scenarios import GROUP as V4
from tests.unit.pipeline.scenarios import GROUP6 as V6

from ovsnet.control.commit import Committer
from ovsnet.control.multicast.groups import Groups
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, IpAddress
from ovsnet.model.listening import EVERYTHING, MUTED, NOTHING, Listening, to_groups
from ovsnet.model.state import State
from ovsnet.ovs.programs import management_socket
from ovsnet.ovs.reportwatch import send_out, watch_reports
from ovsnet.plan import names
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore

pytestmark = [pytest.mark.functional, pytest.mark.row(67)]
GROUP_TALK = str(Path(__file__).parents[1] / "system" / "grouptalk.py")
QUIET = state(WEB, *(replace(endpoint(it), listens=NOTHING) for it in (1, 2, 3, 4)))
PATIENCE = 20.0
FAMILIES = pytest.mark.parametrize("group", [V4, V6], ids=["ipv4", "ipv6"])


class Ear:
    """Tells the groups, and when it has begun to."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self.heard, self.deaf = groups.heard, groups.deaf
        self.hears = asyncio.Event()

    def listening(self) -> None:
        self._groups.listening()
        self.hears.set()


class Agent:
    """The parts of an agent that have to do with groups, and the flows that follow from them."""

    def __init__(self, switch: PipelineSwitch) -> None:
        self._switch = switch
        self._changed = asyncio.Event()
        self.store: MemoryStore[State] = MemoryStore(LOCAL, QUIET)
        ofports = {names.port_name(it, WEB): number(it) for it in QUIET.endpoints.values()}
        self._facts = SwitchFacts(ofports=ofports)
        self.store.watch(self._changed.set)
        switch.carry(QUIET)

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        """One process: what it learns is in the store, and in the flows, when it is gone."""
        run_dir = self._switch.switch.run_dir
        period = 120.0

        async def send(frames: object, ports: object) -> None:
            await send_out(BRIDGE, frames, ports, run_dir)  # type: ignore[arg-type]

        groups = Groups(Committer(self.store), lambda: self._facts, send, period)
        self.store.watch(groups.nudge)
        listener = Ear(groups)
        target, ear = management_socket(BRIDGE, run_dir), run_dir / "reports.ctl"
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(groups.run()),
                tasks.create_task(watch_reports(target, ear, listener, deadline=PATIENCE)),
            ]
            async with asyncio.timeout(PATIENCE):
                await listener.hears.wait()
            yield
            for it in running:
                it.cancel()

    async def knows(self, **listening: Listening) -> None:
        """Until this is known of these endpoints (`e1=…`); the flows are then those of what is known."""
        wanted = {EndpointId(f"{int(name[1:]):02x}" * 32): it for name, it in listening.items()}
        await self.until(lambda: all(self.store.snapshot().endpoints[it].listens == wanted[it] for it in wanted))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
        self._switch.carry(self.store.snapshot())
        self._switch.forget_datapath_flows()  # the next frame is not forwarded by what is being replaced


@pytest.fixture(scope="module")
def web() -> Iterator[PipelineSwitch]:
    with pipeline_switch(QUIET) as it:
        yield it


@contextmanager
def joined(container: Container, group: IpAddress) -> Iterator[subprocess.Popen[str]]:
    """A program that listens to the group, and leaves it when it is ended."""
    command = ["ip", "netns", "exec", container.namespace, sys.executable, GROUP_TALK, "join", str(group)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "joined\n"
            yield program
        finally:
            program.terminate()


@FAMILIES
async def test_a_group_reaches_those_who_joined_it_until_they_leave(web: PipelineSwitch, group: IpAddress) -> None:
    agent, frame = Agent(web), to_group(web[1], group)
    async with agent.runs():
        assert web.copies(web[1], frame) == {2: 1, 3: 1, 4: 1}  # nobody is known to listen
        with joined(web[2], group):
            with joined(web[3], group):
                await agent.knows(e1=NOTHING, e2=to_groups([group]), e3=to_groups([group]), e4=NOTHING)
                assert web.copies(web[1], frame) == {2: 1, 3: 1}
                assert web.copies(web[2], to_group(web[2], group)) == {3: 1}
            await agent.knows(e2=to_groups([group]), e3=NOTHING)
            assert web.copies(web[1], frame) == {2: 1}
        await agent.knows(e2=NOTHING)
        assert web.copies(web[1], frame) == {2: 1, 3: 1, 4: 1}


@pytest.mark.parametrize("group", ["224.0.0.251", "ff02::fb"])
async def test_what_is_for_all_on_the_link_goes_to_all_whoever_joined(web: PipelineSwitch, group: str) -> None:
    other = V4 if "." in group else V6
    agent, link_local = Agent(web), type(other)(group)
    async with agent.runs():
        with joined(web[2], link_local), joined(web[2], other):
            await agent.knows(e2=to_groups([other]))
            assert web.copies(web[1], to_group(web[1], link_local)) == {2: 1, 3: 1, 4: 1}


@FAMILIES
async def test_who_joined_while_nobody_heard_it_is_asked_at_the_start(web: PipelineSwitch, group: IpAddress) -> None:
    agent = Agent(web)
    with joined(web[2], group), joined(web[4], group):
        async with agent.runs():
            await agent.knows(e2=to_groups([group]), e4=to_groups([group]))
        assert web.copies(web[1], to_group(web[1], group)) == {2: 1, 4: 1}  # also when the process is gone
        async with agent.runs():
            assert web.copies(web[1], to_group(web[1], group)) == {2: 1, 4: 1}


@FAMILIES
async def test_the_first_versions_are_understood(web: PipelineSwitch, group: IpAddress) -> None:
    agent = Agent(web)
    with ExitStack() as stack:
        if group.version == 4:
            stack.enter_context(speaking(web[2], "ipv4.conf.eth0.force_igmp_version", 2))
            stack.enter_context(speaking(web[3], "ipv4.conf.eth0.force_igmp_version", 1))
        else:
            stack.enter_context(speaking(web[3], "ipv6.conf.eth0.force_mld_version", 1))
        async with agent.runs():
            with joined(web[2], group), joined(web[3], group):
                await agent.knows(e2=to_groups([group]), e3=to_groups([group]))
                assert web.copies(web[1], to_group(web[1], group)) == {2: 1, 3: 1}


@contextmanager
def speaking(container: Container, setting: str, version: int) -> Iterator[None]:
    """Its kernel speaks this version of the protocol."""
    container.run("sysctl", "-qw", f"net.{setting}={version}")
    yield
    container.run("sysctl", "-qw", f"net.{setting}=0")


async def test_a_report_is_heard_by_the_agent_and_by_no_container(web: PipelineSwitch) -> None:
    agent, kernel = Agent(web), Kernel.of(web[1].endpoint)
    async with agent.runs():
        for frame in (kernel.igmp(0x22, records((4, V4, 0))), kernel.mld(143, records((4, V6, 0)))):
            assert web.copies(web[1], frame) == {}
        await agent.knows(e1=to_groups([V4, V6]))


async def test_who_asks_routes_multicast_and_gets_everything(web: PipelineSwitch) -> None:
    for number_of, query in (
        (3, Kernel.of(web[3].endpoint).igmp(0x11, bytes(4), IPv4Address("224.0.0.1"))),
        (4, Kernel.of(web[4].endpoint).mld(130, bytes(20), IPv6Address("ff02::1"))),
    ):
        agent = Agent(web)
        async with agent.runs():
            web[number_of].send(query)
            await agent.knows(**{f"e{number_of}": EVERYTHING})
            with joined(web[2], V4):
                await agent.knows(e2=to_groups([V4]))
                assert web.copies(web[1], to_group(web[1], V4)) == {2: 1, number_of: 1}


async def test_a_container_that_never_stops_talking_keeps_nobody_from_being_heard(web: PipelineSwitch) -> None:
    """It is muted, and gets everything: what it says is not needed any more."""
    agent, ended = Agent(web), threading.Event()
    report = Kernel.of(web[1].endpoint).igmp(0x22, records((4, V4, 0)))
    talking = threading.Thread(target=talk, args=(web[1], report, ended), daemon=True)
    async with agent.runs():
        talking.start()
        try:
            await agent.knows(e1=MUTED)
            with joined(web[2], V6):
                await agent.knows(e1=MUTED, e2=to_groups([V6]))
        finally:
            ended.set()
            talking.join(PATIENCE)
    assert web.copies(web[3], to_group(web[3], V6)) == {1: 1, 2: 1}


def talk(container: Container, frame: bytes, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(OSError):  # its queue is full
            container.send(frame)
