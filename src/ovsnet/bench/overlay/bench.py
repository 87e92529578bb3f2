"""One run of `ovsnet bench overlay`."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ovsnet.bench.connection.bench import chosen
from ovsnet.bench.crew import Crew
from ovsnet.bench.facts import machine
from ovsnet.bench.overlay.kernel import KernelVxlan
from ovsnet.bench.overlay.ours import kinds, subject
from ovsnet.bench.overlay.ovn import ovn
from ovsnet.bench.overlay.swarm import docker_overlay
from ovsnet.bench.overlay.underlay import Ground, underlay
from ovsnet.bench.probes.choice import TOOLS, probes_of
from ovsnet.bench.report import Missing, Report
from ovsnet.bench.rounds import Effort, Progress, Turns
from ovsnet.bench.station import KERNEL
from ovsnet.bench.wiring import Subject

LIMITS = [
    "both hosts share one kernel and its processors: a wire between machines costs less processor and more time",
    "the wire is a veth pair that carries large packets in one piece; --no-underlay-offload is a NIC that does not",
    "CPU is that of the whole machine, the programs that send and receive included: it differs less than the networks",
]
NOT_MEASURED = [
    Missing(subject="WireGuard", reason="no kernel it could be tried on has it"),
    Missing(subject="Weave", reason="its programs are in no package and its project has ended"),
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `only` are names of subjects, none for all."""

    effort: Effort
    datapath: str
    only: Sequence[str] = ()
    probes: Sequence[str] = field(default=())
    offload: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such subject, probe or datapath."""
    ours = [it.name for it in kinds(plan.datapath)]
    subjects = chosen(everything(Ground(folder, offload=plan.offload), plan.datapath), plan.only)
    probes = probes_of(plan.probes)
    turns = Turns(plan.effort, progress)
    facts = await machine(Crew(folder / "facts.log"), ["ovs-vswitchd", "ovn-controller", "dockerd", *TOOLS])
    await turns.run(subjects, probes)
    return Report(
        bench="overlay",
        facts=facts | how(plan),
        quantities=turns.quantities,
        subjects=[it.name for it in subjects],
        ours=[it.name for it in subjects if it.name in ours],
        series=turns.series,
        missing=[*turns.missing, *([] if plan.only else NOT_MEASURED)],
        limits=LIMITS,
    )


def everything(ground: Ground, datapath: str) -> list[Subject]:
    """All subjects; the physical limit comes last."""
    ours = [subject(ground, datapath, number, kind) for number, kind in enumerate(kinds(datapath))]
    others = [*KernelVxlan(ground).subjects(), docker_overlay(ground), ovn(ground, datapath)]
    return [*ours, *others, underlay(ground)]


def how(plan: Plan) -> dict[str, str]:
    """How it was measured."""
    return {
        "datapath": "kernel" if plan.datapath == KERNEL else "userspace",
        "receive buffer": f"{own_buffer()} bytes",
        "offloads of the wire": "on" if plan.offload else "off",
        "rounds": str(plan.effort.rounds),
        "seconds of each": f"{plan.effort.seconds:g}",
    }


def own_buffer() -> int:
    """What a packet socket holds by itself (net.core.rmem_default, which not every kernel shows in a namespace)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as it:
        return it.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
