"""The client and the follower of the engine, with a real one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Protocol

import pytest
from aiohttp import web
from tests.fakes.engine import FakeEngine
from tests.rig.namespace_host import NamespaceHost

from ovsnet.engine.client import Engine
from ovsnet.engine.events import Follower
from ovsnet.engine.facts import EngineFacts, EngineNetwork, NetworkSpec, SubnetSpec
from ovsnet.model.errors import ApplyError, Conflict, Unavailable
from ovsnet.model.ids import EndpointId, NetworkId

DEADLINE = 30.0
"""Seconds; generous, since the machine may be busy."""
OURS = "bridge"
"""The network driver that stands in for ours: this is about the engine alone."""


@pytest.fixture
def engine_host(bare_host: NamespaceHost) -> Iterator[NamespaceHost]:
    yield bare_host
    bare_host.services("docker", "start")
    bare_host.remove_containers()
    bare_host.remove_networks()


@pytest.fixture
async def engine(engine_host: NamespaceHost) -> AsyncIterator[Engine]:
    async with Engine(socket_of(engine_host), driver=OURS) as it:
        yield it


def socket_of(host: NamespaceHost) -> Path:
    return Path(f"/proc/{host.outer_pid}/root/run/docker.sock")


class Ledger:
    """Every listing a follower handed over."""

    def __init__(self) -> None:
        self.facts: list[EngineFacts] = []
        self.refuse = 0
        self._news = asyncio.Event()

    async def take(self, facts: EngineFacts) -> None:
        self.facts.append(facts)
        self._news.set()
        if self.refuse:
            self.refuse -= 1
            raise Conflict("the test does not take this")

    async def until(self, condition: Callable[[EngineFacts], bool]) -> EngineFacts:
        """The newest listing, as soon as the condition holds for it."""
        async with asyncio.timeout(DEADLINE):
            while not self.facts or not condition(self.facts[-1]):
                self._news.clear()
                await self._news.wait()
        return self.facts[-1]


@asynccontextmanager
async def following(engine: Engine, *, relist_every: float = 600.0, gap: float = 0.1) -> AsyncIterator[Ledger]:
    ledger = Ledger()
    async with asyncio.TaskGroup() as tasks:
        follower = Follower(engine, ledger.take, relist_every=relist_every, gap=gap)
        running = tasks.create_task(follower.run())
        await ledger.until(lambda facts: facts.complete)
        yield ledger
        running.cancel()


def names(facts: EngineFacts) -> set[str]:
    return {it.container_name for it in facts.endpoints.values()}


async def test_the_engine_says_what_it_is(engine_host: NamespaceHost, engine: Engine) -> None:
    assert (await engine.version()).version == engine_host.versions.engine


async def test_networks_are_listed_with_everything_about_them(engine_host: NamespaceHost, engine: Engine) -> None:
    engine_host.docker(
        *("network", "create", "-d", OURS, "--internal", "--label", "team=blue"),
        *("-o", "com.docker.network.driver.mtu=1400", "--ipv6"),
        *("--subnet", "10.231.0.0/24", "--subnet", "fd31::/64", "web"),
    )
    (web_network,) = [it for it in (await engine.networks()).values() if it.name == "web"]
    assert web_network.id == engine_host.docker("network", "inspect", "-f", "{{.Id}}", "web").stdout.strip()
    assert set(web_network.subnets) == {ip_network("10.231.0.0/24"), ip_network("fd31::/64")}
    assert (web_network.labels, web_network.internal) == ({"team": "blue"}, True)
    assert web_network.options == {"com.docker.network.driver.mtu": "1400"}
    assert (web_network.driver, web_network.ipam_driver) == (OURS, "default")


async def test_networks_of_other_drivers_are_not_ours(engine: Engine) -> None:
    assert {it.driver for it in (await engine.networks()).values()} == {OURS}


async def test_networks_with_our_addresses_are_ours(engine_host: NamespaceHost) -> None:
    async with Engine(socket_of(engine_host), driver="default") as by_ipam:
        assert {it.name for it in (await by_ipam.networks()).values()} >= {"bridge", "host", "none"}
    async with Engine(socket_of(engine_host), driver="nobody") as by_nothing:
        assert (await by_nothing.facts()).networks == {}


async def test_endpoints_of_running_containers_are_listed(engine_host: NamespaceHost, engine: Engine) -> None:
    engine_host.docker("network", "create", "--ipv6", "--subnet", "10.232.0.0/24", "--subnet", "fd32::/64", "web")
    container = engine_host.start_container("db", "--ip", "10.232.0.9", "--ip6", "fd32::9", network="web")
    engine_host.docker("network", "connect", "bridge", "db")
    engine_host.docker("create", "--name", "idle", "--network", "web", "busybox:local", "true")
    facts = await engine.facts()
    assert facts.complete
    assert {facts.networks[it.network_id].name for it in facts.endpoints.values()} == {"web", "bridge"}
    (on_web,) = [it for it in facts.endpoints.values() if facts.networks[it.network_id].name == "web"]
    seen = container.inspect()
    assert on_web.id == seen["NetworkSettings"]["Networks"]["web"]["EndpointID"]
    assert (on_web.container_id, on_web.container_name) == (seen["Id"], "db")
    assert (on_web.ipv4, on_web.ipv6) == (ip_address("10.232.0.9"), ip_address("fd32::9"))
    assert on_web.mac == container.mac("web")
    assert facts.addresses >= {("", ip_address("10.232.0.9")), ("", ip_address("fd32::9"))}
    assert facts.subnets >= {("", ip_network("10.232.0.0/24")), ("", ip_network("fd32::/64"))}


async def test_a_container_is_called_by_its_own_name(engine_host: NamespaceHost, engine: Engine) -> None:
    engine_host.start_container("db")
    engine_host.start_container("app", "--link", "db:database")
    assert names(await engine.facts()) == {"db", "app"}


async def test_a_container_that_does_not_run_has_no_endpoint(engine_host: NamespaceHost, engine: Engine) -> None:
    engine_host.start_container("db").stop()
    assert names(await engine.facts()) == set()


async def test_lists_answer_while_a_driver_call_is_stuck(engine_host: NamespaceHost, engine: Engine) -> None:
    async with stuck_driver(engine_host) as stuck, asyncio.TaskGroup() as tasks:
        create = ("network", "create", "-d", "stuck", "--subnet", "10.233.0.0/24", "stuck")
        await asyncio.to_thread(engine_host.docker, *create)
        run = ("run", "-d", "--network", "stuck", "busybox:local", "true")
        starting = tasks.create_task(asyncio.to_thread(engine_host.docker, *run, check=False))
        async with asyncio.timeout(DEADLINE):
            await stuck.joining.wait()
            assert (await engine.facts()).complete
        assert not starting.done()
        stuck.release.set()
        assert "it was only a test" in (await starting).stderr


class StuckDriver:
    """A network driver whose Join does not return until `release`."""

    def __init__(self) -> None:
        self.joining = asyncio.Event()
        self.release = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/NetworkDriver.Join":
            self.joining.set()
            await self.release.wait()
            return web.json_response({"Err": "it was only a test"})
        return web.json_response(STUCK_ANSWERS.get(request.path, {}))


STUCK_ANSWERS: Mapping[str, Mapping[str, object]] = {
    "/Plugin.Activate": {"Implements": ["NetworkDriver", "IpamDriver"]},
    "/NetworkDriver.GetCapabilities": {"Scope": "local"},
    "/NetworkDriver.CreateEndpoint": {"Interface": {}},
    "/NetworkDriver.EndpointOperInfo": {"Value": {}},
    "/IpamDriver.GetDefaultAddressSpaces": {"LocalDefaultAddressSpace": "l", "GlobalDefaultAddressSpace": "g"},
    "/IpamDriver.RequestPool": {"Error": "it was only a test"},
}


@asynccontextmanager
async def stuck_driver(host: NamespaceHost) -> AsyncIterator[StuckDriver]:
    driver = StuckDriver()
    host.run("mkdir", "-p", "/run/docker/plugins")
    application = web.Application()
    application.router.add_post("/{call}", driver.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, f"/proc/{host.outer_pid}/root/run/docker/plugins/stuck.sock").start()
    try:
        yield driver
    finally:
        driver.release.set()
        # While there is somebody to ask: the engine waits fifteen seconds for a driver that is gone.
        await asyncio.to_thread(host.remove_containers)
        await asyncio.to_thread(host.remove_networks)
        await runner.cleanup()


# ------------------------------------------------------- networks made and removed

SPEC = NetworkSpec(
    name="web",
    driver=OURS,
    ipam_driver="default",
    subnets=(
        SubnetSpec(
            ip_network("10.234.0.0/24"),
            ip_network("10.234.0.128/25"),
            ip_address("10.234.0.1"),
            (ip_address("10.234.0.200"), ip_address("10.234.0.9")),
        ),
        SubnetSpec(ip_network("fd34::/64"), gateway=ip_address("fd34::1")),
    ),
    labels={"team": "blue"},
    options={"com.docker.network.driver.mtu": "1400", "ovsnet.network": "51" * 32},
    ipam_options={"space": "blue"},
    internal=True,
)


class Networking(Protocol):
    """What an engine does with networks: the contract below holds for the real one and for the fake."""

    async def networks(self) -> Mapping[NetworkId, EngineNetwork]: ...

    async def create_network(self, spec: NetworkSpec) -> NetworkId: ...

    async def remove_network(self, network_id: NetworkId) -> None: ...

    async def aliases(self, container_id: str) -> Mapping[EndpointId, tuple[str, ...]]: ...


@pytest.fixture(params=["fake", "real"])
async def networking(request: pytest.FixtureRequest) -> AsyncIterator[Networking]:
    if request.param == "fake":
        yield FakeEngine()
        return
    async with Engine(socket_of(request.getfixturevalue("engine_host")), driver=OURS) as engine:
        yield engine


async def start_on(networking: Networking, network: NetworkId, name: str, request: pytest.FixtureRequest) -> str:
    """A container on the network, with the alias www; its id."""
    if isinstance(networking, FakeEngine):
        networking.start(name, EndpointId("e1" * 32), network)
        networking.unlock(name, "www")
        return f"id-{name}"
    host: NamespaceHost = request.getfixturevalue("engine_host")
    container = await asyncio.to_thread(host.start_container, name, "--network-alias", "www", network=network)
    return str(container.inspect()["Id"])


async def stop(networking: Networking, name: str, request: pytest.FixtureRequest) -> None:
    if isinstance(networking, FakeEngine):
        networking.stop(name)
    else:
        host: NamespaceHost = request.getfixturevalue("engine_host")
        await asyncio.to_thread(host.docker, "rm", "-f", name)


async def test_a_network_that_was_made_is_listed_as_it_was_asked_for(networking: Networking) -> None:
    made = await networking.create_network(SPEC)
    (listed,) = [it for it in (await networking.networks()).values() if it.name == "web"]
    assert listed.id == made
    assert (listed.driver, listed.ipam_driver, listed.internal) == (OURS, "default", True)
    assert set(listed.subnets) == {it.subnet for it in SPEC.subnets}
    assert (dict(listed.labels), dict(listed.options)) == (dict(SPEC.labels), dict(SPEC.options))
    assert (dict(listed.ipam_options), listed.space) == ({"space": "blue"}, "blue")


async def test_range_gateway_and_aux_addresses_reach_the_engine(engine_host: NamespaceHost, engine: Engine) -> None:
    made = await engine.create_network(SPEC)
    v4, v6 = json.loads(engine_host.docker("network", "inspect", "-f", "{{json .IPAM.Config}}", made).stdout)
    assert (v4["IPRange"], v4["Gateway"]) == ("10.234.0.128/25", "10.234.0.1")
    assert v4["AuxiliaryAddresses"] == {"aux0": "10.234.0.200", "aux1": "10.234.0.9"}
    assert v6 == {"Subnet": "fd34::/64", "Gateway": "fd34::1"}


async def test_a_name_is_given_once(networking: Networking) -> None:
    made = await networking.create_network(SPEC)
    other = NetworkSpec("web", OURS, "default", (SubnetSpec(ip_network("10.235.0.0/24")),))
    with pytest.raises(Conflict, match="web already exists"):
        await networking.create_network(other)
    assert [it.id for it in (await networking.networks()).values() if it.name == "web"] == [made]


async def test_a_network_is_removed_once_nobody_is_on_it(
    networking: Networking, request: pytest.FixtureRequest
) -> None:
    made = await networking.create_network(SPEC)
    await start_on(networking, made, "box", request)
    with pytest.raises(Conflict, match="active endpoints"):
        await networking.remove_network(made)
    assert made in await networking.networks()
    await stop(networking, "box", request)
    for _ in range(2):
        await networking.remove_network(made)
        assert made not in await networking.networks()


async def test_what_a_driver_refuses_is_told_in_its_words(engine_host: NamespaceHost, engine: Engine) -> None:
    async with stuck_driver(engine_host):
        with pytest.raises(ApplyError, match="it was only a test"):
            await engine.create_network(NetworkSpec("refused", "stuck", "stuck"))
    assert engine_host.docker("network", "ls", "-q", "-f", "driver=stuck").stdout == ""


async def test_aliases_are_told_by_endpoint_without_the_containers_own_name(
    networking: Networking, request: pytest.FixtureRequest
) -> None:
    made = await networking.create_network(SPEC)
    container = await start_on(networking, made, "box", request)
    ((_, names),) = (await networking.aliases(container)).items()
    assert "www" in names
    assert "box" not in names
    if isinstance(networking, Engine):
        assert container[:12] in names, "the engine's own short id is a name, too"


async def test_a_locked_container_is_given_up_soon(engine_host: NamespaceHost, engine: Engine) -> None:
    async with stuck_driver(engine_host) as stuck, asyncio.TaskGroup() as tasks:
        create = ("network", "create", "-d", "stuck", "--subnet", "10.233.0.0/24", "stuck")
        await asyncio.to_thread(engine_host.docker, *create)
        await asyncio.to_thread(engine_host.docker, "create", "--name", "slow", "--network", "stuck", "busybox:local")
        tasks.create_task(asyncio.to_thread(engine_host.docker, "start", "slow", check=False))
        async with asyncio.timeout(DEADLINE):
            await stuck.joining.wait()
            with pytest.raises(Unavailable, match="within 1 s"):
                await engine.aliases("slow")
        stuck.release.set()


# -------------------------------------------------------------------- following


async def test_starts_renames_and_ends_are_followed(engine_host: NamespaceHost, engine: Engine) -> None:
    async with following(engine) as ledger:
        await asyncio.to_thread(engine_host.start_container, "first")
        await ledger.until(lambda facts: names(facts) == {"first"})
        await asyncio.to_thread(engine_host.docker, "rename", "first", "second")
        await ledger.until(lambda facts: names(facts) == {"second"})
        await asyncio.to_thread(engine_host.docker, "rm", "-f", "second")
        await ledger.until(lambda facts: not facts.endpoints)


async def test_networks_and_connections_are_followed(engine_host: NamespaceHost, engine: Engine) -> None:
    def networks(facts: EngineFacts) -> set[str]:
        return {facts.networks[it.network_id].name for it in facts.endpoints.values()}

    async with following(engine) as ledger:
        await asyncio.to_thread(engine_host.docker, "network", "create", "web")
        await ledger.until(lambda facts: "web" in {it.name for it in facts.networks.values()})
        await asyncio.to_thread(engine_host.start_container, "box")
        await ledger.until(lambda facts: networks(facts) == {"bridge"})
        await asyncio.to_thread(engine_host.docker, "network", "connect", "web", "box")
        await ledger.until(lambda facts: networks(facts) == {"bridge", "web"})
        await asyncio.to_thread(engine_host.docker, "network", "disconnect", "bridge", "box")
        await ledger.until(lambda facts: networks(facts) == {"web"})


async def test_a_burst_of_events_costs_few_listings(engine_host: NamespaceHost, engine: Engine) -> None:
    burst = "for i in $(seq 30); do docker network connect web box; docker network disconnect web box; done"
    await asyncio.to_thread(engine_host.docker, "network", "create", "web")
    await asyncio.to_thread(engine_host.start_container, "box")
    async with following(engine, gap=0.5) as ledger:
        before = len(ledger.facts)
        await asyncio.to_thread(engine_host.shell, burst)
        await asyncio.to_thread(engine_host.docker, "rm", "-f", "box")
        await ledger.until(lambda facts: not facts.endpoints)
        assert len(ledger.facts) - before < 60, "one listing for each event"


async def test_without_events_it_is_listed_now_and_then(engine: Engine) -> None:
    async with following(engine, relist_every=0.05, gap=0.0) as ledger:
        seen = len(ledger.facts)
        await ledger.until(lambda _: len(ledger.facts) > seen + 2)


async def test_an_engine_that_comes_back_is_followed_again(engine_host: NamespaceHost, engine: Engine) -> None:
    await asyncio.to_thread(engine_host.docker, "network", "create", "web")
    async with following(engine) as ledger:
        await asyncio.to_thread(engine_host.services, "docker", "stop")
        away = await ledger.until(lambda facts: not facts.complete)
        assert "web" in {it.name for it in away.networks.values()}, "what was known stays"
        await asyncio.to_thread(engine_host.services, "docker", "start")
        await ledger.until(lambda facts: facts.complete)
        await asyncio.to_thread(engine_host.start_container, "box")
        await ledger.until(lambda facts: names(facts) == {"box"})


async def test_what_was_not_taken_up_is_listed_again(engine_host: NamespaceHost, engine: Engine) -> None:
    async with following(engine, gap=0.0) as ledger:
        ledger.refuse = 3  # more than an event causes by itself
        await asyncio.to_thread(engine_host.docker, "network", "create", "web")
        await ledger.until(lambda _: not ledger.refuse)
        seen = len(ledger.facts)
        await ledger.until(lambda _: len(ledger.facts) > seen)
