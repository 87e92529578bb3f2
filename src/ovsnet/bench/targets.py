"""How good ovsnet is meant to be against others of the same run, and whether it was. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ovsnet.bench.report import Report
from ovsnet.bench.stats import Spread, advantage

KERNEL, USERSPACE, EITHER = "kernel", "userspace", "either"


@dataclass(frozen=True, slots=True)
class Target:
    """`subject` is meant to be at least `factor` times as good as `peer`.

    `datapath` is as in the facts of a report, or EITHER.
    """

    bench: str
    quantity: str
    subject: str
    peer: str
    factor: float
    datapath: str


def _targets() -> Iterator[Target]:
    """The talk that began this found the internal port 1.3 times as good as the others on one host."""
    for quantity in ("64 B packets", "CPU per packet, 64 B", "TCP round trip p50"):
        for peer in ("ovsnet", "Linux bridge", "macvlan"):
            yield Target("connection", quantity, "ovsnet internal port", peer, 1.3, KERNEL)
    for quantity in ("TCP, 1 stream", "64 B packets", "CPU per packet, 64 B", "TCP round trip p50", "new connections"):
        yield Target("connection", quantity, "ovsnet", "Docker bridge", 1.0, KERNEL)
    for quantity in ("TCP, 1 stream", "TCP, 8 streams"):
        yield Target("connection", quantity, "ovsnet", "Linux bridge", 0.6, USERSPACE)
    for quantity in ("TCP, 1 stream", "TCP, 8 streams", "64 B packets"):
        yield Target("overlay", quantity, "ovsnet", "kernel VXLAN", 0.9, KERNEL)
        yield Target("overlay", quantity, "ovsnet", "Docker overlay", 1.0, KERNEL)
    for quantity in ("TCP, 1 stream", "TCP, 8 streams"):
        yield Target("overlay", quantity, "ovsnet", "Docker overlay", 0.5, USERSPACE)
    yield Target("overlay", "TCP, 1 stream", "ovsnet", "Weave", 5.5, KERNEL)
    for quantity in ("start, {} endpoints there", "connect, {} endpoints there"):
        for filled in (0, 1000):
            yield Target("attach", quantity.format(filled), "ovsnet", "Docker bridge", 1.0, EITHER)


TARGETS: Sequence[Target] = tuple(_targets())


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why targets are out of reach, in words for people; of these quantities and peers, or of all of the bench."""

    bench: str
    datapath: str
    why: str
    quantities: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()

    def concerns(self, target: Target) -> bool:
        """Whether it speaks of this target."""
        return (
            (self.bench, self.datapath) == (target.bench, target.datapath)
            and (not self.quantities or target.quantity in self.quantities)
            and (not self.peers or target.peer in self.peers)
        )


class State(StrEnum):
    """`unmeasured`: there is no report that has both."""

    MET = "met"
    MISSED = "missed"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Judged:
    """A target with what was measured; None where nothing was."""

    target: Target
    measured: Spread | None

    @property
    def state(self) -> State:
        if self.measured is None:
            return State.UNMEASURED
        return State.MET if self.measured.median >= self.target.factor else State.MISSED


def judged(targets: Sequence[Target], reports: Sequence[Report]) -> list[Judged]:
    """Each by the worst of the reports that say something of it."""
    return [Judged(it, _measured(it, reports)) for it in targets]


def _measured(target: Target, reports: Sequence[Report]) -> Spread | None:
    found = [it for report in reports if (it := _ratio(target, report)) is not None]
    return min(found, key=lambda it: it.median, default=None)


def _ratio(target: Target, report: Report) -> Spread | None:
    if report.bench != target.bench or target.datapath not in (EITHER, report.facts.get("datapath")):
        return None
    quantity = next((it for it in report.quantities if it.name == target.quantity), None)
    if quantity is None:
        return None
    mine, theirs = (report.values(quantity.name, it) for it in (target.subject, target.peer))
    return advantage(mine, theirs, quantity.better)
