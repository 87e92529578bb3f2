"""One run of `ovsnet bench connection`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ovsnet.bench.connection.bare import Bare
from ovsnet.bench.connection.docker import docker_bridge
from ovsnet.bench.connection.openvswitch import INTERNAL, NO_TSO, VETH, Ours
from ovsnet.bench.connection.plain import Plain
from ovsnet.bench.crew import Crew
from ovsnet.bench.facts import machine
from ovsnet.bench.probes.choice import TOOLS, probes_of
from ovsnet.bench.report import Report
from ovsnet.bench.rounds import Effort, Progress, Turns
from ovsnet.bench.station import KERNEL
from ovsnet.bench.wiring import Subject
from ovsnet.model.errors import BadRequest

LIMITS = [
    "CPU is that of the whole machine, the programs that send and receive included: it differs less than the networks",
    "both ends share the machine's processors, as containers do",
    "macvlan and ipvlan: their containers and their own host do not reach each other, which both drivers are made for",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `only` are names of subjects, none for all; `tso` is for the userspace datapath."""

    effort: Effort
    datapath: str
    only: Sequence[str] = ()
    probes: Sequence[str] = field(default=())
    tso: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such subject or probe."""
    subjects = chosen(list(everything(folder, plan)), plan.only)
    probes = probes_of(plan.probes)
    turns = Turns(plan.effort, progress)
    crew = Crew(folder / "facts.log")
    facts = await machine(crew, ["ovs-vswitchd", "dockerd", *TOOLS])
    await turns.run(subjects, probes)
    return Report(
        bench="connection",
        facts=facts | switch_facts(plan),
        quantities=turns.quantities,
        subjects=[it.name for it in subjects],
        ours=[it.name for it in subjects if it.name in {VETH, NO_TSO, INTERNAL}],
        series=turns.series,
        missing=turns.missing,
        limits=LIMITS,
    )


def everything(folder: Path, plan: Plan) -> Iterator[Subject]:
    """All subjects, ours first."""
    yield from Ours(folder, plan.datapath, tso=plan.tso).subjects()
    if plan.datapath != KERNEL and plan.tso:
        yield from Ours(folder, plan.datapath, tso=False).subjects()
    yield from Bare(folder, plan.datapath, tso=plan.tso).subjects()
    yield docker_bridge(folder)
    yield from Plain(folder).subjects()


def switch_facts(plan: Plan) -> dict[str, str]:
    """How it was measured."""
    kernel = plan.datapath == KERNEL
    return {
        "datapath": "kernel" if kernel else "userspace",
        **({} if kernel else {"userspace-tso": "on" if plan.tso else "off"}),
        "rounds": str(plan.effort.rounds),
        "seconds of each": f"{plan.effort.seconds:g}",
    }


def chosen(subjects: Sequence[Subject], only: Sequence[str]) -> list[Subject]:
    """Those of these names, or all; BadRequest names one that is not there."""
    known = {it.name: it for it in subjects}
    for name in only:
        if name not in known:
            raise BadRequest(f"--only {name}: there is no such subject; there are: {', '.join(known)}")
    return [it for it in subjects if not only or it.name in only]
