"""Names and places, taken from what the engine says afterwards."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from ovsnet.control.commit import Committer
from ovsnet.control.naming import Aliases, Naming
from ovsnet.control.placements import Placements
from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import Mac, SharedId
from ovsnet.model.state import State
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.engine import FakeEngine
from tests.states import DB_ID, TWO_NETWORKS, WEB, WEB_ID, endpoint, state

E1 = endpoint(1).id
SEEN = EngineFacts(
    {WEB_ID: EngineNetwork(WEB_ID, "shop", labels={"b": "2", "a": "1"})},
    {E1: EngineEndpoint(E1, WEB_ID, "f" * 64, "front", compose_service="web")},
    complete=True,
)


async def test_names_and_labels_are_taken_over() -> None:
    committer = Committer(MemoryStore(LOCAL, TWO_NETWORKS))
    await Naming(committer).learn(SEEN)
    after = committer.snapshot()
    assert (after.networks[WEB_ID].name, after.networks[WEB_ID].labels) == ("shop", (("a", "1"), ("b", "2")))
    assert (after.endpoints[E1].container_name, after.endpoints[E1].container_id) == ("front", "f" * 64)
    assert after.endpoints[E1].compose_service == "web"
    assert after.networks[DB_ID].name == "db", "what the engine does not list keeps its name"


async def test_learning_the_same_again_commits_nothing() -> None:
    committer = Committer(MemoryStore(LOCAL, TWO_NETWORKS))
    await Naming(committer).learn(SEEN)
    before = committer.snapshot()
    await Naming(committer).learn(SEEN)
    assert committer.snapshot() is before


class Sandboxes:
    """Namespaces with interfaces by MAC; counts how often one was looked into."""

    def __init__(self, inside: Mapping[str, Mapping[Mac, str]]) -> None:
        self.inside = inside
        self.looks = 0

    async def find(self, sandbox: str, macs: Collection[Mac]) -> Mapping[Mac, str]:
        self.looks += 1
        if sandbox not in self.inside:
            raise Unavailable(sandbox, "it is gone")
        return {mac: name for mac, name in self.inside[sandbox].items() if mac in macs}


JOINED = replace(endpoint(1), sandbox="/run/docker/netns/x")


async def test_the_name_inside_is_remembered_and_not_looked_up_again() -> None:
    committer = Committer(MemoryStore(LOCAL, state(WEB, JOINED)))
    sandboxes = Sandboxes({"/run/docker/netns/x": {JOINED.mac: "eth0", Mac("02:00:00:00:00:77"): "eth1"}})
    for _ in range(2):
        await Placements(committer, sandboxes.find).observe(SEEN)
    assert committer.snapshot().endpoints[E1].ifname == "eth0"
    assert sandboxes.looks == 1


async def test_a_container_that_died_meanwhile_is_left_alone() -> None:
    committer = Committer(MemoryStore(LOCAL, state(WEB, JOINED)))
    await Placements(committer, Sandboxes({}).find).observe(SEEN)
    assert committer.snapshot().endpoints[E1].ifname == ""


async def test_nobody_looks_into_a_container_that_does_not_run_yet() -> None:
    committer = Committer(MemoryStore(LOCAL, state(WEB, JOINED)))
    sandboxes = Sandboxes({})
    await Placements(committer, sandboxes.find).observe(EngineFacts(complete=True))
    assert sandboxes.looks == 0


# ---------------------------------------------------------------- aliases

SHARED_WEB = replace(WEB, shared=SharedId(WEB_ID))


@asynccontextmanager
async def asking(start: State, engine: FakeEngine) -> AsyncIterator[tuple[Aliases, Committer[State]]]:
    """The task that asks for aliases, running."""
    committer = Committer(MemoryStore(LOCAL, start))
    aliases = Aliases(committer, engine.aliases)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(aliases.run())
        yield aliases, committer
        running.cancel()


async def listing(aliases: Aliases, engine: FakeEngine) -> None:
    """What follows an event of the engine; returns when nobody has anything to do any more."""
    aliases.consider(engine.facts())
    for _ in range(30):
        await asyncio.sleep(0)


async def test_the_aliases_of_a_container_are_asked_for_once() -> None:
    engine = FakeEngine()
    engine.start("front", E1, WEB_ID)
    engine.unlock("front", "www", "shop")
    async with asking(state(SHARED_WEB, endpoint(1)), engine) as (aliases, committer):
        await listing(aliases, engine)
        assert committer.snapshot().endpoints[E1].aliases == ("www", "shop")
        await listing(aliases, engine)
        assert engine.asked == 1


async def test_who_has_no_alias_is_not_asked_again_and_again() -> None:
    engine = FakeEngine()
    engine.start("front", E1, WEB_ID)
    engine.unlock("front")
    async with asking(state(SHARED_WEB, endpoint(1)), engine) as (aliases, _):
        for _ in range(3):
            await listing(aliases, engine)
        assert engine.asked == 1


async def test_a_locked_container_is_asked_again_after_the_next_listing_and_holds_up_nobody() -> None:
    engine, other = FakeEngine(), endpoint(2).id
    engine.start("stuck", E1, WEB_ID)
    engine.start("front", other, WEB_ID)
    engine.unlock("front", "www")
    async with asking(state(SHARED_WEB, endpoint(1), endpoint(2)), engine) as (aliases, committer):
        await listing(aliases, engine)
        assert committer.snapshot().endpoints[E1].aliases == ()
        assert committer.snapshot().endpoints[other].aliases == ("www",)
        engine.unlock("stuck", "late")
        await listing(aliases, engine)
        assert committer.snapshot().endpoints[E1].aliases == ("late",)


async def test_no_container_is_asked_on_a_network_of_this_host_alone() -> None:
    engine = FakeEngine()
    engine.start("front", E1, WEB_ID)
    engine.unlock("front", "www")
    async with asking(state(WEB, endpoint(1)), engine) as (aliases, _):
        await listing(aliases, engine)
        assert engine.asked == 0
