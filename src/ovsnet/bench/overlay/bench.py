"""One run of `ovsnet bench overlay`."""

import socket
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.choosing import chosen
from ovsnet.bench.overlay.kernel import KernelVxlan
from ovsnet.bench.overlay.ours import kinds, subject
from ovsnet.bench.overlay.ovn import ovn
from ovsnet.bench.overlay.swarm import docker_overlay
from ovsnet.bench.overlay.underlay import Ground, underlay
from ovsnet.bench.report import Missing, Report
from ovsnet.bench.rounds import ProbePlan, Theme, measured_in_turns
from ovsnet.bench.tally import Progress
from ovsnet.bench.wiring import Subject

LIMITS = [
    "both hosts share one kernel and its processors: a wire between machines costs less processor and more time",
    "the wire is a veth pair that carries large packets in one piece; --no-underlay-offload is a NIC that does not",
    "CPU is that of the whole machine, the programs that send and receive included: it differs less than the networks",
]
NOT_MEASURED = [
    Missing(subject="WireGuard", reason="no kernel it could be tried on has it"),
    Missing(subject="Weave", reason="its programs are in no package"),
]


@dataclass(frozen=True, slots=True)
class Plan(ProbePlan):
    """`offload` is that of the wire between the hosts."""

    offload: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such subject, probe or datapath."""
    everything_there = everything(Ground(folder, offload=plan.offload), plan.datapath)
    theme = Theme(
        bench="overlay",
        ours=[it.name for it in kinds(plan.datapath)],
        programs=("ovs-vswitchd", "ovn-controller", "dockerd"),
        how={"receive buffer": f"{own_buffer()} bytes", "offloads of the wire": "on" if plan.offload else "off"},
        limits=LIMITS,
        missing=[] if plan.only else NOT_MEASURED,
    )
    subjects = chosen("subject", everything_there, plan.only, lambda it: it.name)
    return await measured_in_turns(folder, theme, plan, subjects, progress)


def everything(ground: Ground, datapath: str) -> list[Subject]:
    """All subjects; the physical limit comes last."""
    ours = [subject(ground, datapath, number, kind) for number, kind in enumerate(kinds(datapath))]
    others = [*KernelVxlan(ground).subjects(), docker_overlay(ground), ovn(ground, datapath)]
    return [*ours, *others, underlay(ground)]


def own_buffer() -> int:
    """What a packet socket holds by itself (net.core.rmem_default, which not every kernel shows in a namespace)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as it:
        return it.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
