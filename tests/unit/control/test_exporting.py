"""`ovsnet publish`: whose port leads where, and for how long."""

from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.exporting import Exports
from ovsnet.control.networks import network_removal
from ovsnet.control.publishing import Publishing, PublishRequest
from ovsnet.engine.facts import EngineContainer, EngineFacts
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.gateways import gateways
from ovsnet.model.ids import IpNetwork
from ovsnet.model.network import Egress, Mode, Network, NetworkOptions
from ovsnet.model.publication import PortWish, Publication, Transport
from ovsnet.model.state import State
from ovsnet.observe.published import all_ports
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import DB, WEB, endpoint, state

pytestmark = pytest.mark.row(44)
A, B = "a" * 64, "b" * 64
ONE, TWO = replace(endpoint(1), container_id=A), replace(endpoint(2), container_id=B)
ON_DB = replace(endpoint(3, DB), container_id=A, container_name="c1")
NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))


class World:
    """One host whose reconciler agrees or refuses, with an engine and somebody's ports."""

    def __init__(self, *values: object, taken: int = 0) -> None:
        self.committer = Committer(MemoryStore(LOCAL, state(*(values or (WEB, ONE, TWO)))))  # type: ignore[arg-type]
        self.taken = taken
        self.refusal: ApplyError | None = None
        self.containers, self.routes = {A, B}, set[IpNetwork]()
        self.claimed: set[Publication] = set()
        self.exports = Exports(self.committer, self, self, self, self._routes, deadline=1.0)

    @property
    def state(self) -> State:
        return self.committer.snapshot()

    async def publish(self, port: str, target: str = "c1", network: str = "", *, replace: bool = False) -> None:
        await self.exports.publish(target, network, port, replace=replace)

    async def put(self, *values: object) -> None:
        before = self.state
        await self.committer.commit(
            lambda _: ([Put(it) for it in values], None)  # type: ignore[arg-type]
        )
        assert self.state != before

    def listed(self) -> list[str]:
        return [
            f"{it.host_address} {it.host_port} {it.container} {it.container_address} {it.container_port} {it.by}"
            for it in all_ports(self.state)
        ]

    def claim(self, wanted: Collection[Publication]) -> None:
        if any(it.host_port == self.taken for it in wanted):
            raise Conflict("it is taken by httpd (process 7)")
        self.claimed |= set(wanted)

    def settle(self, claimed: Collection[Publication]) -> None:
        self.claimed -= set(claimed)

    async def settled(self, revision: int, resources: Collection[str], deadline: float) -> None:
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return True

    async def existing(self, ids: Collection[str]) -> frozenset[str]:
        return frozenset(ids) & self.containers

    async def _routes(self) -> Collection[IpNetwork]:
        return self.routes


async def test_it_leads_to_the_container_whatever_its_way_out_is_and_over_its_restarts() -> None:
    world = World()
    assert not gateways(world.state)
    await world.publish("9090:80")
    assert world.listed() == ["0.0.0.0 9090 c1 10.20.0.2 80 publish", ":: 9090 c1 fd00:20::2 80 publish"]
    assert gateways(world.state) == (WEB,), "a network of Docker's way out has got a gateway here"
    assert not world.claimed
    await world.put(replace(ONE, plugged=False))
    assert world.listed() == ["0.0.0.0 9090 c1  80 publish", ":: 9090 c1  80 publish"]
    await world.put(replace(endpoint(4), container_id=A, container_name="c1"))
    assert world.listed()[0] == "0.0.0.0 9090 c1 10.20.0.5 80 publish"
    await world.exports.unpublish("9090")
    assert (world.listed(), gateways(world.state)) == ([], ())


async def test_the_network_is_said_where_there_are_several() -> None:
    world = World(WEB, DB, ONE, ON_DB)
    with pytest.raises(Conflict, match="container c1 is on several networks: db, web; say by which one"):
        await world.publish("9090:80")
    await world.publish("9090:80", network="db")
    assert world.listed() == ["0.0.0.0 9090 c1 10.30.0.4 80 publish"]
    with pytest.raises(NotFound, match="no container c9: no running container of that name"):
        await world.publish("9090:80", "c9")
    with pytest.raises(NotFound, match="no container c2 on network db: it is on web"):
        await World(WEB, DB, TWO).publish("9090:80", "c2", "db")


async def test_a_port_that_leads_elsewhere_is_replaced_on_demand_only() -> None:
    world = World(replace(NAT), ONE, TWO)
    await world.publish("9090:80")
    await world.publish("9090:80")
    with pytest.raises(
        Conflict, match=r"port 0\.0\.0\.0:9090/tcp of this host leads to port 80 of container c1 already"
    ):
        await world.publish("9090:80", "c2")
    with pytest.raises(Conflict, match=r"'ovsnet unpublish 0\.0\.0\.0:9090/tcp' first$"):
        await world.publish("192.0.2.1:9090:80", "c2", replace=True)
    await world.publish("9090:81", "c2", replace=True)
    assert world.listed() == ["0.0.0.0 9090 c2 10.20.0.3 81 publish", ":: 9090 c2 fd00:20::3 81 publish"]
    await world.put(replace(ONE, ipv6=None))
    await world.publish("9090:80", replace=True)
    assert world.listed() == ["0.0.0.0 9090 c1 10.20.0.2 80 publish"], "of IPv6 it leads nowhere, and not to c2"


async def test_ports_of_the_engine_and_of_orders_keep_clear_of_each_other() -> None:
    world = World(NAT, ONE, TWO)
    door = Publishing(world.committer, world, world, deadline=1.0)
    await door.publish(PublishRequest(NAT.id, TWO.id, (PortWish(Transport.TCP, None, 8080, 8080, 80),)))
    with pytest.raises(Conflict, match="leads to container c2 by -p"):
        await world.publish("8080:80", replace=True)
    await world.publish("9090:80")
    with pytest.raises(Conflict, match=r"leads to container c1 by 'ovsnet publish'; .*'ovsnet unpublish"):
        await door.publish(PublishRequest(NAT.id, TWO.id, (PortWish(Transport.TCP, None, 9090, 9090, 80),)))


async def test_what_cannot_be_leaves_all_as_it_was() -> None:
    world = World(taken=9091)
    await world.publish("9090:80")
    before = world.state.exports
    with pytest.raises(Conflict, match="httpd"):
        await world.publish("9091:80")
    world.refusal = ApplyError("firewall of gateways", "no")
    for port in ("9092:80", "9090:81"):
        with pytest.raises(ApplyError):
            await world.publish(port, replace=True)
    assert (world.state.exports, world.claimed) == (before, set())
    with pytest.raises(NotFound, match=r"published so are: 0\.0\.0\.0:9090/tcp, \[::\]:9090/tcp"):
        await world.exports.unpublish("9090/udp")


@pytest.mark.parametrize(
    ("network", "port", "words"),
    [
        (replace(WEB, options=NetworkOptions(mode=Mode.UPLINK, egress=Egress.LAN)), "9090:80", "mode=uplink"),
        (replace(WEB, space="blue"), "9090:80", "address space 'blue'"),
        (replace(WEB, gateway4=None), "9090:80", "needs a subnet with a gateway"),
        (WEB, "[::1]:9090:80", "Linux forwards nothing from there"),
    ],
)
async def test_where_no_port_can_lead_it_says_why(network: Network, port: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await World(network, ONE).publish(port)


async def test_a_subnet_that_the_host_reaches_otherwise_is_refused_before_it_gets_a_gateway() -> None:
    world = World()
    world.routes = {IPv4Network("10.0.0.0/8")}
    with pytest.raises(Conflict, match=r"has a route to 10\.0\.0\.0/8"):
        await world.publish("9090:80")


async def test_it_ends_with_the_container_or_the_network_and_not_because_that_does_not_run() -> None:
    world = World()
    await world.publish("9090:80")
    runs = EngineFacts(complete=True, containers={A: EngineContainer(A)})
    for facts in (runs, EngineFacts(complete=True), EngineFacts()):
        await world.exports.forget_gone(facts)
        assert world.state.exports
    assert {it.value for it in network_removal(world.state, WEB.id)} >= {*world.state.exports.values()}
    world.containers.clear()
    await world.exports.forget_gone(EngineFacts(complete=True))
    assert not world.state.exports
