"""Two containers on each network, which have nothing to do with what happens to others."""

from collections.abc import Sequence
from dataclasses import dataclass

from ovsnet.bench.connection.docker import end
from ovsnet.bench.host import Host
from ovsnet.bench.networks import EngineNetwork, make
from ovsnet.bench.tally import Tally
from ovsnet.bench.wiring import Joined, reach
from ovsnet.model.errors import OvsnetError


@dataclass(frozen=True, slots=True)
class Pair:
    """A network, and two containers on it that reach each other."""

    network: EngineNetwork
    ends: Joined


async def pairs_on(networks: Sequence[EngineNetwork], host: Host, tally: Tally) -> list[Pair]:
    """Of the networks that can be made; the tally has the reasons of the others."""
    found = []
    for it in networks:
        try:
            await make(it, host)
            ends = Joined(it.subject, *[await end(host.engine, f"{it.name}-{number}", it.name) for number in (0, 1)])
            await reach(ends)
        except OvsnetError as error:
            tally.lacks(it.subject, str(error))
        else:
            found.append(Pair(it, ends))
    return found
