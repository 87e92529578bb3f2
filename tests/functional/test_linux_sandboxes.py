"""Network namespaces as they come and go, for real."""

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest

from ovsnet.linux import sandboxes
from ovsnet.linux.carrier import has_carrier
from ovsnet.model.errors import Unavailable

pytestmark = [pytest.mark.functional, pytest.mark.row(28, 38)]
DEADLINE = 5.0


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def name() -> Iterator[str]:
    """A name of `ip netns` that is free, and is afterwards."""
    name = f"sand-{os.getpid()}"
    yield name
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def test_a_namespace_is_alive_while_it_is_mounted(name: str) -> None:
    path = sandboxes.path_of(name)
    assert not sandboxes.is_alive(path)
    ip("netns", "add", name)
    assert sandboxes.is_alive(path)
    assert not sandboxes.is_own(path)
    assert sandboxes.is_own("/proc/self/ns/net")
    ip("netns", "del", name)
    assert not sandboxes.is_alive(path)
    assert not sandboxes.is_alive("/etc/passwd")


def test_a_process_is_another_one_than_the_next_with_its_number() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        birth = sandboxes.birth_of(str(process.pid))
        assert birth
        assert birth == sandboxes.birth_of(str(process.pid))
        process.kill()
    assert sandboxes.birth_of(str(process.pid)) == ""


async def test_word_comes_when_a_namespace_comes_or_goes_and_when_a_process_ends(name: str) -> None:
    told = asyncio.Event()

    async def is_told() -> None:
        async with asyncio.timeout(DEADLINE):
            await told.wait()
        told.clear()

    with sandboxes.Comings() as comings:
        comings.watch(told.set)
        ip("netns", "add", name)
        await is_told()
        ip("netns", "del", name)
        await is_told()
        process = await asyncio.create_subprocess_exec("sleep", "60")
        comings.follow([str(process.pid)])
        told.clear()
        process.kill()
        await is_told()
        await process.wait()


@pytest.mark.row(30)
async def test_an_interface_is_waited_for_until_its_other_side_is_up(name: str) -> None:
    ip("netns", "add", name)
    near, path = f"s{os.getpid()}", sandboxes.path_of(name)
    ip("link", "add", near, "type", "veth", "peer", "name", "eth1", "netns", name)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(has_carrier(path, "eth1"))
        ip("-n", name, "link", "set", "eth1", "up")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.1)
        ip("link", "set", near, "up")
        await asyncio.wait_for(waiting, DEADLINE)
    await asyncio.wait_for(has_carrier(path, "eth1"), DEADLINE)
    with pytest.raises(Unavailable, match="it is gone"):
        await has_carrier(f"{path}-not", "eth1")
