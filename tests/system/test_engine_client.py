"""The client and the follower of the engine, with a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from aiohttp import web
from tests.rig.namespace_host import NamespaceHost

from ovsnet.engine.client import Engine
from ovsnet.engine.events import Follower
from ovsnet.engine.facts import EngineFacts
from ovsnet.model.errors import Conflict

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
    assert facts.addresses >= {ip_address("10.232.0.9"), ip_address("fd32::9")}
    assert facts.subnets >= {ip_network("10.232.0.0/24"), ip_network("fd32::/64")}


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
        match request.path:
            case "/Plugin.Activate":
                return web.json_response({"Implements": ["NetworkDriver"]})
            case "/NetworkDriver.GetCapabilities":
                return web.json_response({"Scope": "local"})
            case "/NetworkDriver.CreateEndpoint":
                return web.json_response({"Interface": {}})
            case "/NetworkDriver.EndpointOperInfo":
                return web.json_response({"Value": {}})
            case "/NetworkDriver.Join":
                self.joining.set()
                await self.release.wait()
                return web.json_response({"Err": "it was only a test"})
        return web.json_response({})


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
