"""`ovsnet set CONTAINER NETWORK --rate`: remembered for the container."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from ovsnet.control.bounds import Bounds
from ovsnet.control.commit import Committer
from ovsnet.control.kernel import Kernel
from ovsnet.engine.facts import EngineContainer, EngineFacts
from ovsnet.model.bound import Bound
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.ids import EndpointId
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import C1, DB, FAST, ON_LAN, WEB, endpoint, state

pytestmark = pytest.mark.row(85)
ON_NET = replace(endpoint(1), container_id="a" * 64)
ON_DB = replace(endpoint(2, DB), container_id="a" * 64, container_name="c1")


class Host:
    """A reconciler that agrees or refuses, an engine with containers, a kernel that can nearly all."""

    def __init__(self, *values: object, start: State | None = None) -> None:
        self.committer = Committer(MemoryStore(LOCAL, start or state(WEB, DB, ON_NET, *values)))  # type: ignore[arg-type]
        self.refusal: ApplyError | None = None
        self.containers = {"a" * 64}
        self.lacks: set[str] = set()
        self.waited: list[str] = []
        self.bounds = Bounds(self.committer, self, self, Kernel(self._lacking), 1.0)

    @property
    def state(self) -> State:
        return self.committer.snapshot()

    async def set(self, rate: str, network: str = "web") -> None:
        meant = self.bounds.meant("c1", network)
        assert meant is not None
        await self.bounds.change(meant, rate)

    def rate(self) -> int | None:
        return self.state.rate_of(self.state.endpoints[ON_NET.id], self.state.networks[WEB.id])

    async def settled(self, revision: int, resources: Collection[str], deadline: float) -> None:
        del revision, deadline
        self.waited += resources
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return True

    async def existing(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & self.containers

    async def _lacking(self, kinds: Collection[str]) -> Collection[str]:
        return self.lacks & set(kinds)


async def test_what_was_ordered_counts_before_options_and_holds_for_the_next_endpoint_of_the_container() -> None:
    host = Host()
    assert host.rate() is None
    await host.set("50mbit")
    port = names.port_name(ON_NET, WEB)
    assert (host.rate(), host.waited) == (50_000_000, [port, names.inside(port)])
    after = replace(endpoint(3), container_id="a" * 64, rate=1_000_000)
    assert replace(host.state, endpoints={after.id: after}).rate_of(after, WEB) == 50_000_000
    await host.set("0")
    assert host.rate() == 0
    assert host.state.rate_of(replace(after, container_id="b" * 64), WEB) == 1_000_000


async def test_an_endpoint_is_meant_by_its_network_and_an_attached_interface_by_its_name() -> None:
    host = Host()
    assert host.bounds.meant("c1", "") == host.bounds.meant("c1", "web") == host.bounds.meant("aaaa", "web") == ON_NET
    assert host.bounds.meant("netns:blue", "web") is None
    with pytest.raises(NotFound, match="container c1 is not on network db; it is on web"):
        host.bounds.meant("c1", "db")
    with pytest.raises(NotFound, match="container c9 is not on network db; one that does not run"):
        host.bounds.meant("c9", "db")
    with pytest.raises(NotFound, match="c1 has no interface eth7, and is on no network eth7; it is on web"):
        host.bounds.meant("c1", "eth7")
    with pytest.raises(Conflict, match="several interfaces on networks: db, web; name one"):
        Host(ON_DB).bounds.meant("c1", "")
    attached = replace(ON_LAN, target=replace(C1, id="a" * 64))
    both = Host(start=replace(state(WEB, ON_NET), attachments={attached.id: attached}))
    assert both.bounds.meant("c1", "") is both.bounds.meant("c1", "eth1") is both.bounds.meant("c1", "eth2") is None
    assert both.bounds.meant("c1", "web") == ON_NET
    on_web = replace(attached, id=endpoint(4).id, bridge="", network_id=WEB.id)
    beside = replace(endpoint(4), container_id="a" * 64, container_name="c1")
    twice = Host(start=replace(state(WEB, ON_NET, beside), attachments={on_web.id: on_web}))
    assert twice.bounds.meant("c1", "web") == ON_NET
    alone = Host(start=replace(state(WEB, beside), attachments={on_web.id: on_web}))
    assert alone.bounds.meant("c1", "web") == beside
    two = Host(replace(ON_DB, id=EndpointId("9" * 64), container_id="b" * 64, compose_service="s", container_name="c2"))
    assert two.bounds.meant("s", "db") is not None


async def test_what_cannot_be_leaves_all_as_it_was() -> None:
    host = Host()
    await host.set("50mbit")
    before = host.state.bounds
    for rate in ("", "fast", "1tbit"):
        with pytest.raises(BadRequest):
            await host.set(rate)
    host.refusal = ApplyError("ov", "the host says no")
    with pytest.raises(ApplyError):
        await host.set("10mbit")
    assert host.state.bounds == before
    host = Host()
    host.refusal = ApplyError("ov", "the host says no")
    with pytest.raises(ApplyError):
        await host.set("10mbit")
    host = Host()
    host.lacks = {"tbf"}
    with pytest.raises(Conflict, match=r"a rate needs .* sch_tbf"):
        await host.set("10mbit")
    host = Host(start=state(FAST, replace(endpoint(1, FAST), container_id="a" * 64)))
    with pytest.raises(BadRequest, match="port=internal"):
        await host.set("10mbit", "db")
    assert not host.state.bounds


async def test_it_is_forgotten_with_its_container_and_never_because_that_does_not_run() -> None:
    host = Host()
    await host.set("50mbit")
    runs = EngineFacts(complete=True, containers={"a" * 64: EngineContainer("a" * 64)})
    for facts in (runs, EngineFacts(complete=True), EngineFacts()):
        await host.bounds.forget_gone(facts)
        assert list(host.state.bounds.values()) == [Bound("a" * 64, WEB.id, 50_000_000)]
    host.containers.clear()
    await host.bounds.forget_gone(EngineFacts())
    assert host.state.bounds
    await host.bounds.forget_gone(EngineFacts(complete=True))
    assert not host.state.bounds
