"""One run of `ovsnet bench connection`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.choosing import chosen
from ovsnet.bench.connection.bare import Bare
from ovsnet.bench.connection.docker import docker_bridge
from ovsnet.bench.connection.openvswitch import INTERNAL, NO_TSO, VETH, Ours
from ovsnet.bench.connection.plain import Plain
from ovsnet.bench.report import Report
from ovsnet.bench.rounds import ProbePlan, Theme, measured_in_turns
from ovsnet.bench.station import KERNEL
from ovsnet.bench.tally import Progress
from ovsnet.bench.wiring import Subject

LIMITS = [
    "CPU is that of the whole machine, the programs that send and receive included: it differs less than the networks",
    "both ends share the machine's processors, as containers do",
    "macvlan and ipvlan: their containers and their own host do not reach each other, which both drivers are made for",
]


@dataclass(frozen=True, slots=True)
class Plan(ProbePlan):
    """`tso` is for the userspace datapath."""

    tso: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such subject or probe."""
    subjects = chosen("subject", list(everything(folder, plan)), plan.only, lambda it: it.name)
    theme = Theme(
        bench="connection",
        ours=(VETH, NO_TSO, INTERNAL),
        programs=("ovs-vswitchd", "dockerd"),
        how={} if plan.datapath == KERNEL else {"userspace-tso": "on" if plan.tso else "off"},
        limits=LIMITS,
    )
    return await measured_in_turns(folder, theme, plan, subjects, progress)


def everything(folder: Path, plan: Plan) -> Iterator[Subject]:
    """All subjects, ours first."""
    yield from Ours(folder, plan.datapath, tso=plan.tso).subjects()
    if plan.datapath != KERNEL and plan.tso:
        yield from Ours(folder, plan.datapath, tso=False).subjects()
    yield from Bare(folder, plan.datapath, tso=plan.tso).subjects()
    yield docker_bridge(folder)
    yield from Plain(folder).subjects()
