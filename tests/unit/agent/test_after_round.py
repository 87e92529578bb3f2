"""Endpoints are announced once, and not before the round that lets their packets in."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ovsnet.agent.after_round import AfterRound
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, Ofport
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.reconcile.converge import Round
from tests.states import EMPTY, TAKEN, WEB, endpoint, state


class Host:
    """What is wanted, which ports there are, and what was announced."""

    def __init__(self) -> None:
        self.wanted = EMPTY
        self.ports: dict[str, Ofport] = {}
        self.announced: list[EndpointId] = []
        self.after = AfterRound(lambda: self.wanted, lambda: SwitchFacts(ofports=self.ports), self.announce)

    async def announce(self, endpoints: Sequence[tuple[Ofport, Endpoint]]) -> None:
        self.announced += [it.id for _, it in endpoints]

    async def round(self, *, of: int) -> None:
        """One for the state of that revision is over, and what follows it."""
        self.after(Round(), Round(of))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.after.run())
            for _ in range(3):
                await asyncio.sleep(0)
            running.cancel()

    def wants(self, it: State, revision: int, *ports: str) -> None:
        self.wanted = replace(it, revision=revision)
        self.ports = {name: Ofport(number) for number, name in enumerate(ports, 1)}


def port(number: int) -> str:
    return names.port_name(endpoint(number), WEB)


async def test_what_was_there_before_us_is_not_announced_and_what_comes_is_once() -> None:
    host = Host()
    host.wants(state(WEB, endpoint(1)), 1, port(1))
    await host.round(of=1)
    assert host.announced == []
    host.wants(state(WEB, endpoint(1), endpoint(2)), 2, port(1), port(2))
    await host.round(of=2)
    await host.round(of=2)
    assert host.announced == [endpoint(2).id]


async def test_one_whose_port_waited_for_it_is_announced_after_the_round_for_it() -> None:
    host = Host()
    (taker,) = TAKEN.endpoints.values()
    there = names.port_name(taker, WEB)
    host.wants(state(WEB), 1, there)
    await host.round(of=1)
    host.wants(TAKEN, 2, there)
    await host.round(of=1)
    assert host.announced == []
    host.wants(TAKEN, 3, there)
    await host.round(of=2)
    assert host.announced == [taker.id]
