"""Whether the largest packets get to the other hosts: the way is tried now and then, and what is too narrow is told.

    hosts with a container on a network that has one here ──► probe, at first sight and every period ──► warnings

The MTU of a network was agreed from what each host's own interface takes; nobody promised anything about the way. That
nothing at all gets through is told as well where no port of Open vSwitch watches the way (plan/paths.py), but of hosts
only that have answered before: there are networks that let no answer of a kernel through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from ovsnet.model.cluster import OVERHEAD, Cluster
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.model.network import Mode
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.paths import Path, PathState

TROUBLED = 15.0
"""Seconds until a way that was not well is tried again, at the latest."""

log = structlog.get_logger("cluster")
Probe = Callable[[IpAddress], Awaitable[int | None]]
"""The largest packet that gets there, in bytes with its IP header; None when nothing is heard (see linux.underlay)."""


@dataclass(frozen=True, slots=True)
class Need:
    """What must get to a host: packets of `size` bytes, for the network that is called `network`."""

    vtep: IpAddress
    size: int
    network: str


@dataclass(frozen=True, slots=True)
class Finding:
    """How the way to a host was, `size` as the probe said, at this time of the loop's clock."""

    vtep: IpAddress
    size: int | None
    at: float


class PathSizes:
    """The background task. `nudge` it when the overlay changed. `period`: seconds between two looks at the same way."""

    def __init__(
        self,
        me: HostName,
        cluster: Callable[[], Cluster],
        overlay: Callable[[], Overlay | None],
        probe: Probe,
        period: float,
    ) -> None:
        self._me = me
        self._cluster = cluster
        self._overlay = overlay
        self._probe = probe
        self._period = period
        self._found: dict[HostName, Finding] = {}
        self._answered: set[HostName] = set()
        self._told: frozenset[str] = frozenset()
        self._needed: tuple[Overlay, object, Mapping[HostName, Need]] | None = None
        self._wake = asyncio.Event()

    def nudge(self) -> None:
        """There may be another host to look at."""
        self._wake.set()

    def warnings(self) -> tuple[str, ...]:
        """Ways that are not as they should be, for people, with what to do."""
        overlay = self._overlay()
        if overlay is None:
            return ()
        wanted = self._needs(overlay)
        silent = self._answered if overlay.kind is TunnelKind.KERNEL else frozenset()
        return tuple(complaints(self._me, overlay.local, wanted, self._found, silent))

    def _needs(self, overlay: Overlay) -> Mapping[HostName, Need]:
        """There may be very many endpoints: of the same values they are not looked through twice."""
        networks = self._cluster().networks
        if self._needed is None or self._needed[0] is not overlay or self._needed[1] is not networks:
            self._needed = (overlay, networks, needs(self._cluster(), overlay))
        return self._needed[2]

    def paths(self) -> Mapping[HostName, Path]:
        """Kind kernel: whether each other end answers. Of kind ovs the switch knows better."""
        overlay = self._overlay()
        if overlay is None or overlay.kind is not TunnelKind.KERNEL:
            return {}
        return {name: self._path(name, it) for name, it in self._found.items()}

    def _path(self, name: HostName, found: Finding) -> Path:
        if found.size is not None:
            return Path(PathState.UP)
        return Path(PathState.DOWN if name in self._answered else PathState.UNKNOWN, "it answers no probe")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            overlay = self._overlay()
            wanted = self._needs(overlay) if overlay is not None else {}
            self._found = {name: it for name, it in self._found.items() if name in wanted}
            async with asyncio.TaskGroup() as looks:
                for name, need in wanted.items():
                    if self._due(name, need) <= self._now():
                        looks.create_task(self._look(name, need))
            self._tell()
            await self._wait(min((self._due(*it) for it in wanted.items()), default=None))

    async def _wait(self, until: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        self._wake.clear()

    def _due(self, name: HostName, need: Need) -> float:
        known = self._found.get(name)
        if known is None or known.vtep != need.vtep:
            return 0.0
        well = known.size >= need.size if known.size is not None else name not in self._answered
        return known.at + (self._period if well else min(self._period, TROUBLED))

    async def _look(self, name: HostName, need: Need) -> None:
        """Twice, where it is too narrow or silent: on a busy host a probe may get lost."""
        size = await self._ask(need.vtep)
        if size is not None:
            self._answered.add(name)
        if size is None or size < need.size:
            size = max(size or 0, await self._ask(need.vtep) or 0) or None
        self._found[name] = Finding(need.vtep, size, self._now())

    async def _ask(self, vtep: IpAddress) -> int | None:
        try:
            return await self._probe(vtep)
        except Unavailable:
            return None

    def _tell(self) -> None:
        warnings = frozenset(self.warnings())
        for it in warnings - self._told:
            log.warning("the way to another host is not as it should be", reason=it)
        if self._told and not warnings:
            log.info("the ways to all other hosts are as they should be again")
        self._told = warnings

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def needs(cluster: Cluster, overlay: Overlay) -> Mapping[HostName, Need]:
    """The hosts with a container on a network that has one here, and the largest packet such a network sends there."""
    overhead = OVERHEAD[overlay.local.version]
    found: dict[HostName, Need] = {}
    for key, remotes in overlay.remotes.items():
        network = cluster.networks.get(key)
        if network is None or network.options.mode is Mode.UNDERLAY:
            continue
        size = network.options.mtu + overhead
        for name in {it.host for it in remotes if it.host in overlay.peers}:
            if name not in found or found[name].size < size:
                found[name] = Need(overlay.peers[name], size, network.title)
    return dict(sorted(found.items()))


def complaints(
    me: HostName,
    local: IpAddress,
    wanted: Mapping[HostName, Need],
    found: Mapping[HostName, Finding],
    answered: Collection[HostName],
) -> Iterator[str]:
    """A sentence for each way that is too narrow, or on which nothing is heard of a host that has answered before."""
    for name, need in wanted.items():
        finding = found.get(name)
        if finding is None or finding.vtep != need.vtep:
            continue
        way = f"from host {me} ({local}) to host {name} ({need.vtep})"
        if finding.size is None and name in answered:
            yield (
                f"Nothing gets {way} any more, though the host lives: containers here and there do not reach each "
                "other. Look for what stops packets between these two addresses."
            )
        elif finding.size is not None and finding.size < need.size:
            fits = finding.size - OVERHEAD[local.version]
            yield (
                f"Packets of at most {finding.size} bytes get {way}, and network {need.network} sends up to "
                f"{need.size}: larger ones are lost. Let {need.size} bytes through on the way, or make the network "
                f"anew with -o mtu={fits}."
            )
