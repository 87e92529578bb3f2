"""How good ovsnet is meant to be against others of the same run, and whether it was. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ovsnet.bench.report import Report
from ovsnet.bench.stats import Spread, advantage


@dataclass(frozen=True, slots=True)
class Target:
    """`subject` is meant to be at least `factor` times as good as `peer`; `datapath` as in the facts of a report."""

    bench: str
    quantity: str
    subject: str
    peer: str
    factor: float
    datapath: str


TARGETS: Sequence[Target] = (
    Target("overlay", "TCP, 1 stream", "ovsnet", "kernel VXLAN", 0.9, "kernel"),
    Target("overlay", "TCP, 8 streams", "ovsnet", "kernel VXLAN", 0.9, "kernel"),
    Target("overlay", "TCP, 1 stream", "ovsnet", "Docker overlay", 0.5, "userspace"),
    Target("overlay", "TCP, 8 streams", "ovsnet", "Docker overlay", 0.5, "userspace"),
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
    if (report.bench, report.facts.get("datapath")) != (target.bench, target.datapath):
        return None
    quantity = next((it for it in report.quantities if it.name == target.quantity), None)
    if quantity is None:
        return None
    mine, theirs = (report.values(quantity.name, it) for it in (target.subject, target.peer))
    return advantage(mine, theirs, quantity.better)
