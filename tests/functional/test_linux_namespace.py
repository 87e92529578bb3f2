"""Looking into namespaces without going there."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.functional.kernel import Inside, container, links, private_host

from ovsnet.linux.namespace import find_inside, opened, run_inside
from ovsnet.model.ids import Mac

FIRST, SECOND, NOWHERE = Mac("0a:00:00:00:00:01"), Mac("0a:00:00:00:00:02"), Mac("0a:00:00:00:00:03")


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        yield


@pytest.fixture
def inside() -> Iterator[Inside]:
    with container() as it:
        it.run("ip", "link", "add", "eth0", "address", FIRST, "type", "veth", "peer", "name", "other")
        it.run("ip", "link", "set", "other", "address", SECOND)
        yield it


async def test_interfaces_are_found_by_mac(inside: Inside) -> None:
    assert await find_inside(inside.sandbox, [FIRST, SECOND, NOWHERE]) == {FIRST: "eth0", SECOND: "other"}


async def test_nothing_is_found_in_a_namespace_that_is_gone(tmp_path: Path) -> None:
    assert await find_inside("/run/netns/ovtest-gone", [FIRST]) == {}
    unmounted = tmp_path / "netns"
    unmounted.touch()
    assert await find_inside(str(unmounted), [FIRST]) == {}


async def test_the_agent_stays_where_it_is(inside: Inside) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with opened(inside.sandbox) as namespace:
        within = await run_inside(namespace, lambda: os.readlink("/proc/thread-self/ns/net"))
    assert within != before
    assert os.readlink("/proc/thread-self/ns/net") == before
    assert await asyncio.to_thread(os.readlink, "/proc/thread-self/ns/net") == before
    assert set(links()) == {"lo"}


async def test_nothing_is_left_behind(inside: Inside) -> None:
    await find_inside(inside.sandbox, [FIRST])
    threads, files = threading.active_count(), sorted(os.listdir("/proc/self/fd"))
    for _ in range(100):
        await find_inside(inside.sandbox, [FIRST])
        await find_inside("/run/netns/ovtest-gone", [FIRST])
    assert (threading.active_count(), sorted(os.listdir("/proc/self/fd"))) == (threads, files)
