"""Docker's packet filter drops what is forwarded and not its own; there our gateways get a pass.

    DOCKER-USER   … what people put there …   -i ovgw+ ACCEPT   -o ovgw+ ACCEPT   (RETURN)
    FORWARD       … Docker's jumps …          the same, if it drops by default

What may pass is said in our own table (firewall.py), whose drops hold whatever is accepted here. The pass is the last
thing in the chain that Docker leaves to others, and the last in FORWARD: there it is for hosts without that chain, and
for the moments in which an engine that starts has taken the jump to it out and not yet put it back. What
names our interfaces is ours. Both of Docker's ways to iptables are served: nf_tables with nft, legacy with itself.
"""

import json
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from ovsnet import processes
from ovsnet.linux.nft import nft, says_nothing_there
from ovsnet.model.egress import GATEWAY_DEVICES
from ovsnet.model.errors import ApplyError, Unavailable

USERS, FORWARD = "DOCKER-USER", "FORWARD"
LEGACY: Final[Mapping[str, Path]] = {
    "iptables-legacy": Path("/proc/net/ip_tables_names"),
    "ip6tables-legacy": Path("/proc/net/ip6_tables_names"),
}
"""The program, and where the kernel names the tables it has: to ask the program would make them."""
NO_CHAIN: Final = 1
"""How iptables(8) ends then; otherwise where it cannot say."""
DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a chain: where it is, which way it lets us pass, "" for none, and whether it ends the chain."""

    place: int
    way: str = ""
    returns: bool = False


WAYS: Final = ("in", "out")


class Filter(Protocol):
    """One of the packet filters a host may have."""

    async def rules(self, chain: str) -> Sequence[Rule] | None:
        """None where it has no such chain."""

    async def drops(self) -> bool:
        """Whether FORWARD drops what no rule decides."""

    async def add(self, chain: str, way: str, before: int | None) -> None:
        """At the end, or before the rule that is there."""

    async def remove(self, chain: str, place: int) -> None:
        """Take one away."""


async def open_up() -> None:
    """Have a pass in every packet filter that this host has."""
    for it in filters():
        for way in WAYS:
            for chain, rules in (await _places(it)).items():  # places of rules move with each that is put before them
                ends = bool(rules) and rules[-1].returns
                if way in _lacking(rules):
                    await it.add(chain, way, rules[-1].place if ends else None)


async def close() -> None:
    """Have none."""
    for it in filters():
        for chain in (USERS, FORWARD):
            for rule in reversed(await it.rules(chain) or ()):
                if rule.way:
                    await it.remove(chain, rule.place)


async def there() -> bool:
    """Whether every packet filter has it."""
    for it in filters():
        if any(_lacking(rules) for rules in (await _places(it)).values()):
            return False
    return True


async def _places(it: Filter) -> Mapping[str, Sequence[Rule]]:
    """The chains in which it has to be, with their rules."""
    found = {USERS: await it.rules(USERS)}
    if await it.drops():
        found[FORWARD] = await it.rules(FORWARD)
    return {chain: rules for chain, rules in found.items() if rules is not None}


def _lacking(rules: Sequence[Rule]) -> Sequence[str]:
    there = {it.way for it in rules}
    return [it for it in WAYS if it not in there]


def filters() -> Iterator[Filter]:
    """Those this host may have."""
    yield Nftables("ip")
    yield Nftables("ip6")
    for program, tables in LEGACY.items():
        if shutil.which(program) and tables.exists() and "filter" in tables.read_text().split():
            yield Legacy(program)


class Nftables:
    """The table `filter` of one family, which is that of iptables-nft."""

    def __init__(self, family: str) -> None:
        self._family = family

    async def rules(self, chain: str) -> Sequence[Rule] | None:
        listed = await self._listed(chain)
        if listed is None:
            return None
        return [_read(it["rule"]) for it in listed if "rule" in it]

    async def drops(self) -> bool:
        listed = await self._listed(FORWARD) or ()
        return any(it.get("chain", {}).get("policy") == "drop" for it in listed)

    async def add(self, chain: str, way: str, before: int | None) -> None:
        where = ("filter", chain) if before is None else ("filter", chain, "handle", str(before))
        what = f'{"iifname" if way == "in" else "oifname"} "{GATEWAY_DEVICES}*" counter accept'
        await nft("add" if before is None else "insert", "rule", self._family, *where, what)

    async def remove(self, chain: str, place: int) -> None:
        await nft("delete", "rule", self._family, "filter", chain, "handle", str(place))

    async def _listed(self, chain: str) -> Sequence[Mapping[str, Any]] | None:
        try:
            found = await nft("-j", "-a", "list", "chain", self._family, "filter", chain)
        except ApplyError as error:
            if says_nothing_there(error):
                return None
            raise
        listed: Sequence[Mapping[str, Any]] = json.loads(found)["nftables"]
        return listed


def _read(rule: Mapping[str, Any]) -> Rule:
    matches = [it["match"] for it in rule["expr"] if "match" in it]
    names = {it["left"].get("meta", {}).get("key"): it["right"] for it in matches if isinstance(it["left"], dict)}
    ways = {"in": names.get("iifname"), "out": names.get("oifname")}
    way = next((it for it, name in ways.items() if name == f"{GATEWAY_DEVICES}*"), "")
    returns = not matches and any("return" in it for it in rule["expr"])
    return Rule(rule["handle"], way, returns)


class Legacy:
    """The table of iptables-legacy."""

    def __init__(self, program: str) -> None:
        self._program = program

    async def rules(self, chain: str) -> Sequence[Rule] | None:
        listed = await self._run("-S", chain, missing=True)
        if listed is None:
            return None
        lines = [shlex.split(it)[2:] for it in listed.splitlines() if it.startswith("-A ")]
        return [_said(place, words) for place, words in enumerate(lines, 1)]

    async def drops(self) -> bool:
        return f"-P {FORWARD} DROP" in (await self._run("-S", FORWARD) or "").splitlines()

    async def add(self, chain: str, way: str, before: int | None) -> None:
        where = ("-A", chain) if before is None else ("-I", chain, str(before))
        await self._run(*where, *_words(way))

    async def remove(self, chain: str, place: int) -> None:
        await self._run("-D", chain, str(place))

    async def _run(self, *words: str, missing: bool = False) -> str | None:
        """What it prints; None where `missing` is fine and it says no."""
        try:
            done = await processes.run((self._program, "-w", "5", *words), deadline=DEADLINE)
        except TimeoutError as error:
            raise Unavailable(self._program, f"no answer within {DEADLINE:g} s") from error
        if done.code == NO_CHAIN and missing:
            return None
        if done.code:
            raise ApplyError(self._program, done.complaint.partition("\n")[0])
        return done.output.decode()


def _words(way: str) -> tuple[str, ...]:
    return ("-i" if way == "in" else "-o", f"{GATEWAY_DEVICES}+", "-j", "ACCEPT")


def _said(place: int, words: Sequence[str]) -> Rule:
    way = next((it for it in WAYS if tuple(words) == _words(it)), "")
    return Rule(place, way, returns=list(words) == ["-j", "RETURN"])
