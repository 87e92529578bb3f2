"""Two ends that a subject of the bench joins: where the programs that measure it run."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.model.errors import OvsnetError, Unavailable

NAMESPACES = Path("/run/netns")
LOOK_AGAIN = 0.02
REACHED = 30
"""Seconds until the first packet comes back: tunnels and name tables are made meanwhile."""


@dataclass(frozen=True, slots=True)
class End:
    """One end: the crew of its namespace, its address, and the interface that has it."""

    crew: Crew
    address: str
    device: str = "eth0"


@dataclass(frozen=True, slots=True)
class Joined:
    """A subject that has been built."""

    subject: str
    client: End
    server: End


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be measured: its name, one line on what it is, and how it is built.

    `build` joins two ends and puts on the stack how it is taken away; Unavailable or another OvsnetError says why
    this machine cannot have it.
    """

    name: str
    what: str
    build: Callable[[AsyncExitStack], Awaitable[Joined]]


async def namespace(name: str, folder: Path) -> Crew:
    """A new namespace of the sandbox."""
    await Crew(folder / "log").call("ip", "netns", "add", name)
    crew = Crew(folder / f"{name}.log", namespace=str(NAMESPACES / name))
    await crew.call("ip", "link", "set", "lo", "up")
    return crew


async def dress(crew: Crew, device: str, address: str, *, name: str = "eth0") -> End:
    """Give an interface its name and its address (with prefix length), and bring it up."""
    if device != name:
        await crew.call("ip", "link", "set", device, "name", name)
    await crew.call("ip", "addr", "add", address, "dev", name)
    await crew.call("ip", "link", "set", name, "up")
    return End(crew, address.partition("/")[0], name)


async def pair(here: Crew, device: str, there: Crew, peer: str, *, mtu: int = 1500) -> None:
    """A veth pair between two namespaces of the sandbox."""
    options = ("mtu", str(mtu), "type", "veth", "peer", "name", peer, "mtu", str(mtu))
    await here.call("ip", "link", "add", device, *options, "netns", Path(there.namespace).name)


async def reach(joined: Joined) -> None:
    """Returns when a packet has come back; Unavailable when none does."""
    limit = time.monotonic() + REACHED
    while True:
        try:
            await joined.client.crew.call("ping", "-c", "1", "-W", "1", joined.server.address, deadline=REACHED)
        except OvsnetError as error:
            if time.monotonic() > limit:
                reason = f"its two ends do not reach each other within {REACHED} s: {error}"
                raise Unavailable(joined.subject, reason) from None
        else:
            return


async def addressed(end: End) -> None:
    """Returns when the interface that somebody else puts there has its address; Unavailable when it does not come."""
    limit = time.monotonic() + REACHED
    while end.address not in await _addresses(end):
        if time.monotonic() > limit:
            raise Unavailable("the bench", f"{end.device} has not got {end.address} within {REACHED} s")
        await asyncio.sleep(LOOK_AGAIN)


async def _addresses(end: End) -> str:
    try:
        return await end.crew.call("ip", "-br", "-4", "addr", "show", "dev", end.device)
    except OvsnetError:
        return ""


async def mac_of(end: End) -> str:
    """The MAC of an end's interface; empty for one that has none."""
    (link,) = json.loads(await end.crew.call("ip", "-j", "link", "show", "dev", end.device))
    return str(link["address"]) if link["link_type"] in {"ether", "loopback"} else ""


async def received(end: End) -> int:
    """How many packets an end's interface has received so far."""
    (link,) = json.loads(await end.crew.call("ip", "-s", "-j", "link", "show", "dev", end.device))
    return int(link["stats64"]["rx"]["packets"])
