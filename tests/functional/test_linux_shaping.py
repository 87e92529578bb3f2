"""What an interface sends, bounded by the kernel, and what is said of a kernel that cannot."""

import asyncio
import subprocess
from collections.abc import Iterator

import pytest
from tests.functional.kernel import ip, private_host

from ovsnet.linux import shaping
from ovsnet.linux.abilities import DISCIPLINES, lacking
from ovsnet.linux.netlink import Netlink
from ovsnet.model.shaping import UNSHAPED, Shape

pytestmark = [pytest.mark.functional, pytest.mark.row(33)]

FAST, SLOW = Shape(rate=100_000_000), Shape(rate=20_000_000)


@pytest.fixture(autouse=True)
def interface() -> Iterator[None]:
    with private_host():
        ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
        yield


async def put(*shapes: Shape) -> str:
    async with Netlink() as kernel:
        for shape in shapes:
            await shaping.put(kernel, "v0", shape, 1500)
    return tc("qdisc", "show", "dev", "v0").stdout


def tc(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["tc", *words], capture_output=True, text=True, check=False)


async def test_a_bound_comes_changes_and_goes() -> None:
    assert "qdisc tbf 6f76: root refcnt 2 rate 100Mbit" in (await put(FAST)).replace("refcnt 3", "refcnt 2")
    assert "rate 20Mbit" in await put(SLOW)
    assert "tbf" not in await put(UNSHAPED, UNSHAPED)


async def test_what_others_put_there_gives_way_and_is_not_taken_away() -> None:
    tc("qdisc", "add", "dev", "v0", "root", "handle", "7:", "pfifo")
    assert "pfifo 7:" in await put(UNSHAPED)
    assert "tbf 6f76:" in await put(SLOW)


@pytest.mark.parametrize("kind", DISCIPLINES)
def test_the_kernel_is_asked_by_trying(kind: str) -> None:
    numbers = {"tbf": ["rate", "1mbit", "burst", "32k", "latency", "50ms"]}.get(kind, [])
    can = tc("qdisc", "add", "dev", "v0", "root", kind, *numbers).returncode == 0
    assert (kind not in asyncio.run(lacking([kind]))) == can
