"""Nobody but other members' hosts speaks to the ends of the tunnels: a table of our own in nftables.

VXLAN knows no sender. A container that can send UDP to a VTEP, through Docker's gateway bridge for instance, would put
frames into any network whose number it guesses, and its host would lend it a member's address on the way out. So what
goes to a member's tunnel end is dropped where it enters this host, unless it comes from a member, by a way that leads
back to that member. Our own packets do not pass there (hook prerouting).

The table is made anew in one transaction, so there is no moment without it. Whoever flushes the rules of this machine
is noticed at once.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import structlog

from ovsnet.linux.nft import RuleChanges, nft
from ovsnet.model.errors import ApplyError, OvsnetError
from ovsnet.model.ids import IpAddress

WRITES = 3
"""How often the table is written, at most, until it is known what nft makes of it; two are enough when nobody else
changes it at that moment. Whoever does is heard of, and it is looked at again.
"""
LOOK_AGAIN = 300.0
"""Seconds until the table is looked at although nothing was heard."""

log = structlog.get_logger("cluster")


@dataclass(frozen=True, slots=True)
class Ends:
    """All members' VTEPs, ours included, the interface ours is on, and the tunnels' UDP port."""

    vteps: frozenset[IpAddress]
    device: str
    udp_port: int


def table_of(instance: str) -> str:
    """The name of our table, in the family inet; what is in it is ours."""
    return f"{instance}-tunnels"


def ruleset(table: str, ends: Ends, *, reverse_path: bool = True) -> str:
    """The commands that make the table what it must be, whatever it was.

    Without `reverse_path` (a kernel without nft_fib) a member's packets must come by the VTEP's own interface.
    """
    other_way = f'iifname != "{ends.device}"' + (" fib saddr . iif oif missing" if reverse_path else "")
    lines = [f"table inet {table} {{ }}", f"delete table inet {table}", f"table inet {table} {{"]
    rules = []
    for version, kind, field in ((4, "ipv4_addr", "ip"), (6, "ipv6_addr", "ip6")):
        members = sorted((it for it in ends.vteps if it.version == version), key=int)
        if not members:
            continue
        lines.append(f"set ends{version} {{ type {kind}; elements = {{ {', '.join(map(str, members))} }} }}")
        there = f"udp dport {ends.udp_port} {field} daddr @ends{version}"
        rules += [f"{there} {field} saddr != @ends{version} counter drop", f"{there} {other_way} counter drop"]
    hook = "type filter hook prerouting priority raw; policy accept;"
    return "\n".join((*lines, f"chain arriving {{ {hook}", *rules, "}", "}")) + "\n"


class TunnelEnds:
    """Keeps the table. `wanted` is None on a host whose VTEP is on no interface (yet): then there are no tunnels."""

    def __init__(self, instance: str, wanted: Callable[[], Ends | None]) -> None:
        self._table = table_of(instance)
        self._wanted = wanted
        self._nudged = asyncio.Event()
        self._written: tuple[Ends, str] | None = None
        self.problem = ""

    def nudge(self) -> None:
        """The members changed, or the interface."""
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        with RuleChanges(self._nudged.set):
            while True:
                try:
                    await self._look()
                    self.problem = ""
                except OvsnetError as error:
                    self._complain(str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await self._nudged.wait()
                self._nudged.clear()

    def _complain(self, reason: str) -> None:
        if reason != self.problem:
            log.warning("tunnel ends are not kept from containers", reason=reason)
        self.problem = reason

    async def _look(self) -> None:
        """Compared in nft's own words: as it lists the table now, and as it did right after it was written."""
        ends = self._wanted()
        if ends is None or (self._written and self._written == (ends, await self._listed())):
            return
        self._written = None
        before = ""
        for _ in range(WRITES):
            await self._write(ends)
            listed = await self._listed()
            # Somebody may have changed it in between: it is what we wrote when it reads the same after two writes.
            if listed and listed == before:
                self._written = (ends, listed)
                return
            before = listed

    async def _write(self, ends: Ends) -> None:
        try:
            await nft("-f", "-", stdin=ruleset(self._table, ends))
        except ApplyError:
            await nft("-f", "-", stdin=ruleset(self._table, ends, reverse_path=False))

    async def _listed(self) -> str:
        """Without the counters; "" when it is gone."""
        try:
            return await nft("--stateless", "list", "table", "inet", self._table)
        except ApplyError:
            return ""


async def remove_table(instance: str) -> None:
    """Take it away; nothing happens where there is none, or no nft."""
    with suppress(OvsnetError):
        await nft("delete", "table", "inet", table_of(instance))


def ends_of(vteps: Collection[IpAddress], device: str, udp_port: int) -> Ends | None:
    """The value for these members; None while our own interface is not known."""
    return Ends(frozenset(vteps), device, udp_port) if device and vteps else None
