"""Who may have which port of this host."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.publishing import Publishing, PublishRequest
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.ids import EndpointId
from ovsnet.model.network import Egress, Network, NetworkOptions
from ovsnet.model.publication import PortWish, Publication, Transport
from ovsnet.model.state import State
from ovsnet.observe.published import all_ports
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import WEB, endpoint, state

NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
ONE, TWO = endpoint(1), endpoint(2)


class Reconciler:
    """Answers at once, or refuses."""

    def __init__(self, refusal: Exception | None) -> None:
        self._refusal = refusal
        self.asked = 0

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        self.asked = revision
        if self._refusal is not None:
            raise self._refusal

    def reachable(self) -> bool:
        return True


class Ports:
    """The ports of a host on which somebody has some."""

    def __init__(self, *taken: int) -> None:
        self._taken = taken
        self.claimed: set[Publication] = set()

    def claim(self, wanted: Collection[Publication]) -> None:
        for it in wanted:
            if it.host_port in self._taken:
                raise Conflict(f"port {it.title} of this host is taken by httpd (process 7)")
        self.claimed |= set(wanted)

    def settle(self, claimed: Collection[Publication]) -> None:
        self.claimed -= set(claimed)


class World:
    """One host."""

    def __init__(self, *taken: int, start: State | None = None, refusal: Exception | None = None) -> None:
        self.committer = Committer(MemoryStore(LOCAL, start or state(NAT, ONE, TWO)))
        self.ports = Ports(*taken)
        self.reconciler = Reconciler(refusal)
        self.door = Publishing(self.committer, self.reconciler, self.ports, deadline=1.0)

    async def publish(self, *wishes: PortWish, it: EndpointId = ONE.id, network: Network = NAT) -> list[str]:
        return [each.title for each in await self.door.publish(PublishRequest(network.id, it, wishes))]

    def listed(self) -> list[str]:
        return [
            f"{it.host_address} {it.host_port} {it.container_address} {it.container_port}"
            for it in all_ports(self.committer.snapshot())
        ]


def wish(first: int, last: int = 0, *, host: str = "", port: int = 80) -> PortWish:
    return PortWish(Transport.TCP, ip_address(host) if host else None, first, last or first, port)


async def test_a_port_of_no_address_is_one_of_all_for_each_version_the_container_has() -> None:
    world = World()
    assert await world.publish(wish(8080)) == ["0.0.0.0:8080/tcp", "[::]:8080/tcp"]
    assert world.listed() == ["0.0.0.0 8080 10.20.0.2 80", ":: 8080 fd00:20::2 80"]
    assert not world.ports.claimed
    only4 = World(start=state(NAT, replace(ONE, ipv6=None)))
    assert await only4.publish(wish(8080)) == ["0.0.0.0:8080/tcp"]


async def test_it_ends_with_the_way_out_and_a_repetition_changes_nothing() -> None:
    world = World()
    free = await world.publish(wish(0), wish(8080))
    assert await world.publish(wish(8080), wish(0)) == free
    await world.door.revoke(ONE.id)
    assert world.reconciler.asked == world.committer.snapshot().revision, "the engine has the port next, or another"
    await world.door.revoke(EndpointId("e9" * 32))
    assert world.listed() == []


async def test_of_a_range_the_first_free_port_is_chosen() -> None:
    world = World(8000)
    await world.publish(wish(8001, host="127.0.0.1"), it=TWO.id)
    assert await world.publish(wish(8000, 8010, host="0.0.0.0")) == ["0.0.0.0:8002/tcp"]
    with pytest.raises(Conflict, match=r"none is free; of the last one: port .* is taken by container"):
        await world.publish(wish(8000, 8001, host="0.0.0.0"))


async def test_who_names_no_port_gets_one_that_is_free() -> None:
    (port,) = await World().publish(wish(0, host="0.0.0.0"))
    assert 32768 <= int(port.partition(":")[2].partition("/")[0]) < 61000


async def test_a_port_that_is_taken_is_refused_with_its_holder_and_nothing_stays_behind() -> None:
    world = World(8080)
    with pytest.raises(Conflict, match=r"port 0\.0\.0\.0:8080/tcp of this host is taken by httpd \(process 7\)"):
        await world.publish(wish(8081), wish(8080))
    assert (world.listed(), world.ports.claimed) == ([], set())
    await world.publish(wish(8081), it=TWO.id)
    with pytest.raises(Conflict, match="is taken by container c2"):
        await world.publish(wish(8081, host="192.0.2.1"))
    with pytest.raises(Conflict, match="asked for twice"):
        await world.publish(wish(8082), wish(8082, host="192.0.2.1", port=81))


async def test_what_the_host_refuses_is_not_published() -> None:
    world = World(refusal=ApplyError("firewall of gateways", "no"))
    with pytest.raises(ApplyError):
        await world.publish(wish(8080))
    assert (world.listed(), world.ports.claimed) == ([], set())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (wish(8080, host="2001:db8::1"), "without an IPv6 address"),
        (wish(8080, host="::1"), "Linux forwards nothing from there; use 127.0.0.1"),
        (wish(8080, port=0), "not in the range of ports"),
        (wish(8080, 70000), "not in the range of ports"),
    ],
)
async def test_what_cannot_be_is_refused(asked: PortWish, words: str) -> None:
    world = World(start=state(NAT, replace(ONE, ipv6=None)))
    with pytest.raises(BadRequest, match=words):
        await world.publish(asked)


async def test_where_docker_leads_out_it_publishes_too() -> None:
    assert await World(start=state(WEB, ONE)).publish(wish(8080), network=WEB) == []
    assert await World().publish() == []
    with pytest.raises(NotFound):
        await World(start=state(NAT)).publish(wish(8080))
