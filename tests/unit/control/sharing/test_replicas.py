"""Every engine gets every network of the cluster, and loses those that are gone from it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

import pytest

from ovsnet.control.naming import Naming
from ovsnet.control.requests import NetworkRequest, PoolRequest
from ovsnet.control.sharing.publishing import Publisher
from ovsnet.control.sharing.replicas import LAST_RETRY, SETTLED, Replicas, spec_of
from ovsnet.engine.facts import EngineNetwork, NetworkSpec, SubnetSpec
from ovsnet.model.addressing import LOCAL_SPACE, Allocation, AllocationKind, Pool
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import Datapath
from ovsnet.model.ids import EndpointId, NetworkId, SharedId, Vni, pool_id
from ovsnet.model.network import Egress, Mode, NetworkOptions
from ovsnet.store.interface import Drop, Put
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.fakes import clock
from tests.fakes.engine import FakeEngine
from tests.unit.control.sharing.hosts import A, B, C, Host, cluster_store, container

SUBNETS = ("10.40.0.0/24", "fd00:40::/64")


class Site:
    """One host with an engine and the tasks that keep it as the cluster wants it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.engine = FakeEngine(str(host.name), self._create, host.networks.delete)
        self.naming = Naming(host.committer)
        self.publisher = Publisher(host.cluster, host.store.snapshot, host.name)
        self.replicas = Replicas(self.engine, host.committer, host.shared, host.name, host.sharing.parts)
        for nudge in (self.publisher.nudge, self.replicas.nudge):
            host.shared.watch(nudge)
            host.store.watch(nudge)

    async def _create(self, network_id: NetworkId, spec: NetworkSpec) -> None:
        """What the engine makes of it: IPAM's calls are left out."""
        v4 = next((it.subnet for it in spec.subnets if isinstance(it.subnet, IPv4Network)), None)
        v6 = next((it.subnet for it in spec.subnets if isinstance(it.subnet, IPv6Network)), None)
        self.host.sharing.parts.given(PoolRequest(LOCAL_SPACE, v4))
        space = LOCAL_SPACE if spec.ipam_driver == "ovsnet" else "LocalDefault"
        await self.host.networks.create(
            NetworkRequest(network_id, dict(spec.options), spec.internal, v4, None, v6, None, space, space)
        )

    async def listing(self) -> None:
        """What follows an event of the engine."""
        await self.naming.learn(self.engine.facts())
        self.replicas.consider(self.engine.facts())
        await quiet()

    async def network_create(self, name: str, *subnets: str, **options: str) -> NetworkId:
        """`docker network create -d ovsnet --ipam-driver ovsnet`."""
        made = await self.engine.create_network(user_spec(name, *subnets, **options))
        await self.listing()
        return made

    async def run(self, name: str, number: int) -> None:
        """`docker run --name … --network shop`."""
        (part,) = [it for it in self.host.state.networks.values() if it.name == "shop"]
        box = container(number, part, name=name)
        await self.host.store.commit(self.host.state, [Put(box)])
        self.engine.start(name, box.id, part.id)
        await self.listing()

    async def rm(self, name: str, number: int) -> None:
        """`docker rm -f`."""
        self.engine.stop(name)
        box = self.host.state.endpoints[EndpointId(f"{number:02x}" * 32)]
        await self.host.store.commit(self.host.state, [Drop(box)])
        await self.listing()


def user_spec(name: str, *subnets: str, **options: str) -> NetworkSpec:
    given = tuple(SubnetSpec(ip_network(it)) for it in subnets or SUBNETS)
    return NetworkSpec(name, "ovsnet", "ovsnet", given, labels={"team": "blue"}, options=options)


async def quiet() -> None:
    """Until everybody waits for something, without any time passing."""
    for _ in range(80):
        await asyncio.sleep(0)


class Cut(MemoryStore[Cluster]):
    """The shared store, which can be away from all hosts."""

    present = True

    @property
    def available(self) -> bool:
        return self.present

    def go_away_and_forget_networks(self) -> None:
        """As a database does that was made anew and is not read yet."""
        self.present = False
        self._state = replace(self._state, networks={})


Body = Callable[[Site, Site, Site], Awaitable[None]]


def on_three_hosts(body: Body) -> None:
    """Run the body beside all tasks of three hosts, with jumping time."""

    async def main() -> None:
        shared = Cut(SHARED, cluster_store().snapshot())
        sites = [Site(Host(it, shared)) for it in (A, B, C)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(it) for site in sites for it in (site.publisher.run(), site.replicas.run())]
            for site in sites:
                await site.listing()
            await body(*sites)
            for task in tasks:
                task.cancel()

    clock.run(main)


async def listed(*sites: Site) -> None:
    """Each engine tells what it has; what that causes is told in turn."""
    for _ in range(2):
        for site in sites:
            await site.listing()


# ---------------------------------------------------------------- making


@pytest.mark.row(51)
def test_a_network_made_on_one_host_is_on_all_of_them_at_once() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        begun = asyncio.get_running_loop().time()
        await a.network_create("shop", icc="false")
        assert asyncio.get_running_loop().time() == begun, "nothing waited"
        await listed(a, b, c)
        (origin,) = a.host.state.networks.values()
        for site in (b, c):
            (part,) = site.host.state.networks.values()
            assert part == replace(origin, id=part.id)
            (there,) = site.engine.facts().networks.values()
            assert (there.name, {str(it) for it in there.subnets}) == ("shop", set(SUBNETS))
            assert there.labels == {"team": "blue"}
            assert there.options == {"icc": "false"}, "as it was asked for, and no more"
        assert [it.replicas.problems() for it in (a, b, c)] == [(), (), ()]

    on_three_hosts(body)


def test_once_all_is_as_it_shall_be_nothing_is_asked_of_any_engine() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        before = [it.engine.asked for it in (a, b, c)]
        await listed(a, b, c)
        await b.run("web1", 1)
        await asyncio.sleep(600)
        assert [it.engine.asked for it in (a, b, c)] == before

    on_three_hosts(body)


def test_a_host_that_was_away_catches_up() -> None:
    async def body(a: Site, b: Site, _c: Site) -> None:
        b.engine.away = True
        await b.listing()
        await a.network_create("shop")
        await asyncio.sleep(60)
        assert b.engine.names == set()
        b.engine.away = False
        await b.listing()
        assert b.engine.names == {"shop"}

    on_three_hosts(body)


def test_a_name_that_is_taken_is_told_and_tried_again_until_it_is_free() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        taken = EngineNetwork(NetworkId("f0" * 32), "shop", driver="bridge")
        b.engine.add(taken)
        await a.network_create("shop")
        await listed(a, b, c)
        assert c.engine.names == {"shop"}, "one host's trouble is its own"
        (problem,) = b.replicas.problems()
        assert "shop already exists" in problem
        assert "must go from this host, then it is tried again within seconds" in problem
        asked = b.engine.asked
        await asyncio.sleep(120)
        for _ in range(100):
            b.replicas.nudge()
            await quiet()
        assert b.engine.asked - asked < 30, "the engine is not hammered"
        assert taken in (await b.engine.networks()).values()
        await b.engine.remove_network(taken.id)
        await asyncio.sleep(LAST_RETRY)
        assert [it.driver for it in b.engine.facts().networks.values()] == ["ovsnet"]
        await b.listing()
        assert b.replicas.problems() == ()

    on_three_hosts(body)


def test_two_networks_of_one_name_in_an_engine_are_told() -> None:
    """Engines look for the name before they ask the driver, and not again."""

    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        twin = EngineNetwork(NetworkId("f1" * 32), "shop", driver="macvlan")
        b.engine.add(twin)
        b.replicas.consider(replace(b.engine.facts(), networks=await b.engine.networks()))
        await quiet()
        (problem,) = b.replicas.problems()
        assert "more than one of this name" in problem
        assert "f1f1f1f1f1f1" in problem

    on_three_hosts(body)


def test_what_a_host_cannot_have_is_told_in_its_own_words() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        b.host.datapath = Datapath.USERSPACE
        await a.network_create("shop", port="internal")
        await listed(a, b, c)
        assert c.engine.names == {"shop"}
        assert "port=internal needs the kernel datapath" in b.replicas.problems()[0]

    on_three_hosts(body)


def test_what_the_engine_forgot_while_no_agent_ran_is_made_again() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        (old,) = b.host.state.networks.values()
        assert old.ipv4
        pool = Pool(pool_id(LOCAL_SPACE, old.ipv4, None), LOCAL_SPACE, old.ipv4)
        held = Allocation(pool.id, IPv4Address("10.40.0.9"), AllocationKind.ENDPOINT)
        await b.host.store.commit(b.host.state, [Put(pool), Put(held), Put(container(1, old))])
        driver, b.engine.on_delete = b.engine.on_delete, lambda _: asyncio.sleep(0)
        await b.engine.remove_network(old.id)
        b.engine.on_delete = driver
        await b.listing()
        assert not b.engine.names
        assert not b.replicas.problems()
        await asyncio.sleep(2 * SETTLED)
        (new,) = b.host.state.networks.values()
        assert (b.engine.names, new.id != old.id) == ({"shop"}, True)
        assert not b.host.state.pools
        assert not b.host.state.endpoints

    on_three_hosts(body)


def test_a_network_is_not_made_again_while_the_engine_is_just_removing_it() -> None:
    """It is not listed then, and our driver has not been asked yet: made again it would be the network of nobody."""

    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        (part,) = b.host.state.networks.values()
        driver = b.engine.on_delete

        async def asked_a_little_later(network_id: NetworkId) -> None:
            await b.listing()
            await driver(network_id)

        b.engine.on_delete = asked_a_little_later
        await b.engine.remove_network(part.id)
        await listed(a, b, c)
        await asyncio.sleep(2 * SETTLED)
        assert not a.host.cluster.snapshot().networks
        assert (a.engine.names, b.engine.names, c.engine.names) == (set(), set(), set())

    on_three_hosts(body)


def test_a_network_the_store_of_a_host_has_lost_is_told() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        (part,) = b.host.state.networks.values()
        await b.host.store.commit(b.host.state, [Drop(part)])
        await b.listing()
        assert "'docker network rm shop' here, and it is made again within seconds" in b.replicas.problems()[0]
        await b.engine.remove_network(part.id)
        await listed(b)
        assert (b.engine.names, b.replicas.problems()) == ({"shop"}, ())

    on_three_hosts(body)


# ---------------------------------------------------------------- removing


@pytest.mark.row(51)
def test_an_unused_network_removed_anywhere_goes_everywhere() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        await b.engine.remove_network(next(iter(b.host.state.networks)))
        await listed(b, a, c)
        for site in (a, b, c):
            assert (site.engine.names, dict(site.host.state.networks), site.replicas.problems()) == (set(), {}, ())

    on_three_hosts(body)


@pytest.mark.row(6)
@pytest.mark.parametrize("from_origin", [True, False])
def test_a_network_in_use_on_another_host_comes_back_where_it_was_removed(from_origin: bool) -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        await c.run("web1", 1)
        here = a if from_origin else b
        (old,) = here.host.state.networks
        await here.engine.remove_network(old)
        await listed(here, c)
        (new,) = here.host.state.networks
        assert (here.engine.names, new != old) == ({"shop"}, True)
        assert len(a.host.everywhere) == 1
        assert c.engine.names == {"shop"}
        await c.rm("web1", 1)
        await here.engine.remove_network(new)
        await listed(here, a, b, c)
        assert [it.engine.names for it in (a, b, c)] == [set(), set(), set()]

    on_three_hosts(body)


def test_removed_by_name_it_stays_where_a_container_was_not_published_and_goes_when_that_stops() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        (part,) = b.host.state.networks
        b.engine.start("secret", EndpointId("ee" * 32), part)
        await b.listing()
        await c.host.networks.remove("shop")
        await quiet()
        assert (a.engine.names, b.engine.names, c.engine.names) == (set(), {"shop"}, set())
        (problem,) = b.replicas.problems()
        assert problem.endswith("while containers are on it: stop secret")
        asked = b.engine.asked
        await asyncio.sleep(60)
        assert b.engine.asked == asked
        b.engine.stop("secret")
        await listed(b)
        assert (b.engine.names, b.replicas.problems()) == (set(), ())

    on_three_hosts(body)


def test_a_container_no_list_shows_yet_holds_the_network_without_harm() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        (part,) = b.host.state.networks
        b.engine.start("starting", EndpointId("ee" * 32), part)  # and the listing b acts on is older
        await c.host.networks.remove("shop")
        await quiet()
        assert "has active endpoints" in b.replicas.problems()[0]
        assert b.engine.names == {"shop"}
        b.engine.stop("starting")
        await asyncio.sleep(LAST_RETRY)
        assert b.engine.names == set()

    on_three_hosts(body)


def test_nothing_is_removed_while_the_cluster_is_away() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        assert isinstance(b.host.shared, Cut)
        b.host.shared.go_away_and_forget_networks()
        await listed(a, b, c)
        await asyncio.sleep(60)
        assert [it.engine.names for it in (a, b, c)] == [{"shop"}, {"shop"}, {"shop"}]

    on_three_hosts(body)


def test_nothing_is_removed_by_a_host_that_is_no_member() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await a.network_create("shop")
        await listed(a, b, c)
        now = b.host.shared.snapshot()
        await b.host.shared.commit(now, [Drop(now.members[B]), Drop(next(iter(now.networks.values())))])
        await listed(a, b, c)
        assert [it.engine.names for it in (a, b, c)] == [set(), {"shop"}, set()]

    on_three_hosts(body)


def test_networks_that_are_no_part_of_one_of_the_cluster_are_never_touched() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        await b.network_create("mine", "10.99.0.0/24", mode="bridge")
        others = [
            EngineNetwork(NetworkId("f0" * 32), "bridge", driver="bridge"),
            EngineNetwork(NetworkId("f1" * 32), "odd", driver="macvlan"),
            EngineNetwork(NetworkId("f2" * 32), "ours by address", driver="bridge", ipam_driver="ovsnet"),
        ]
        for it in others:
            b.engine.add(it)
        await a.network_create("shop")
        await listed(a, b, c)
        await a.host.networks.remove("shop")
        await listed(a, b, c)
        assert b.engine.names == {"mine", "bridge", "odd", "ours by address"}
        assert b.replicas.problems() == ()

    on_three_hosts(body)


# ---------------------------------------------------------------- what is asked for


def test_the_engine_is_asked_for_the_whole_network() -> None:
    shared = SharedNetwork(
        id=SharedId("51" * 32),
        vni=Vni(5000),
        origin=A,
        options=NetworkOptions(mode=Mode.OVERLAY, mtu=1400, icc=False, egress=Egress.NONE),
        internal=True,
        ipv4=IPv4Network("10.40.0.0/24"),
        range4=IPv4Network("10.40.0.128/25"),
        gateway4=IPv4Address("10.40.0.1"),
        reserved=(IPv4Address("10.40.0.20"), IPv4Address("10.40.0.3")),
        name="shop",
        labels=(("team", "blue"),),
        asked=(("icc", "false"), ("mtu", "1400")),
    )
    assert spec_of(shared) == NetworkSpec(
        name="shop",
        driver="ovsnet",
        ipam_driver="ovsnet",
        subnets=(SubnetSpec(shared.ipv4, shared.range4, shared.gateway4, shared.reserved),),  # type: ignore[arg-type]
        labels={"team": "blue"},
        options={"icc": "false", "mtu": "1400"},
        internal=True,
    )


def test_a_creation_that_broke_off_on_its_origin_is_made_nowhere_else() -> None:
    async def body(a: Site, b: Site, c: Site) -> None:
        with pytest.raises(OvsnetError):
            await a.engine.create_network(replace(user_spec("shop"), ipam_driver="default"))
        await a.host.networks.create(
            NetworkRequest(NetworkId("51" * 32), ipv4=IPv4Network("10.1.0.0/24"), space4=LOCAL_SPACE)
        )
        await listed(a, b, c)
        assert [it.engine.names for it in (a, b, c)] == [set(), set(), set()]
        assert len(a.host.everywhere) == 1

    on_three_hosts(body)
