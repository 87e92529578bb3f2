"""The rules that keep tunnel ends for members: on a real nftables, in a namespace of the test's own."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from tests.functional.kernel import private_host

from ovsnet.linux.tunnelends import Ends, TunnelEnds, ends_of, remove_table, ruleset

VTEPS = ["10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2"]
ENDS = Ends(frozenset(map(ip_address, VTEPS)), "eth1", 4790)
pytestmark = pytest.mark.functional


def nft(*words: str, given: str = "") -> str:
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=False, input=given).stdout


def table() -> str:
    return nft("--stateless", "list", "table", "inet", "test-tunnels")


@asynccontextmanager
async def kept(ends: Ends | None) -> AsyncIterator[list[Ends | None]]:
    """The rules are kept while the block runs; what is wanted may be replaced in the list."""
    wanted = [ends]
    it = TunnelEnds("test", lambda: wanted[0])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(it.run())
        try:
            yield wanted
        finally:
            task.cancel()


async def until(text: str, *, gone: bool = False) -> None:
    async with asyncio.timeout(10):
        while True:
            if (text in table()) is not gone:
                return
            await asyncio.sleep(0.02)


async def test_both_families_are_guarded_by_members_and_by_the_way_back() -> None:
    with private_host():
        async with kept(ENDS):
            await until("fib saddr")
            rules = table()
            assert all(it in rules for it in VTEPS)
            assert rules.count("udp dport 4790") == 4
            assert rules.count('iifname != "eth1"') == 2


async def test_rules_that_somebody_flushed_are_back_and_those_of_others_are_left_alone() -> None:
    with private_host():
        async with kept(ENDS):
            await until("fib saddr")
            before = table()
            nft("flush", "ruleset")
            await until("fib saddr")
            assert table() == before
            nft("add", "table", "inet", "theirs")
            nft("delete", "table", "inet", "test-tunnels")
            await until("fib saddr")
            nft("add", "element", "inet", "test-tunnels", "ends4", "{ 192.0.2.1 }")
            await until("192.0.2.1", gone=True)
        assert "theirs" in nft("list", "tables")
        await remove_table("test")
        await remove_table("test")
        assert table() == ""
        assert "theirs" in nft("list", "tables")


async def test_without_an_interface_there_is_no_table_and_without_members_no_value() -> None:
    with private_host():
        async with kept(None):
            await asyncio.sleep(0)
        assert table() == ""
    assert ends_of([], "eth1", 4789) is None
    assert ends_of([ip_address("10.99.0.1")], "", 4789) is None


async def test_a_kernel_without_nft_fib_still_refuses_other_interfaces() -> None:
    with private_host():
        rules = ruleset("test-tunnels", ENDS, reverse_path=False)
        assert "fib" not in rules
        nft("-f", "-", given=rules)
        assert table().count('iifname != "eth1" counter drop') == 2
