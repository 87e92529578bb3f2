"""Measuring subjects in turns with probes between their two ends: what `connection` and `overlay` have in common."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.datapath import datapath_name
from ovsnet.bench.facts import machine
from ovsnet.bench.probes.choice import TOOLS, probes_of
from ovsnet.bench.probes.interface import Probe, lacking
from ovsnet.bench.report import Missing, Report
from ovsnet.bench.tally import Effort, Progress, Step, Tally, take_turns
from ovsnet.bench.wiring import Joined, Subject, reach
from ovsnet.model.errors import OvsnetError


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """What is to be measured. `only` are names of subjects, `probes` of probes; none for all."""

    effort: Effort
    datapath: str
    only: Sequence[str] = ()
    probes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Theme:
    """What a bench of this kind is about. `how` are facts of its own, `programs` those whose versions count; `ours` are
    the names of subjects; `missing` is what it never measures.
    """

    bench: str
    ours: Sequence[str]
    programs: Sequence[str]
    how: Mapping[str, str]
    limits: Sequence[str]
    missing: Sequence[Missing] = ()


async def measured_in_turns(
    folder: Path, theme: Theme, plan: ProbePlan, subjects: Sequence[Subject], progress: Progress
) -> Report:
    """Build all, measure all, take all away. What cannot be built or measured is left out from there on, and the report
    says why. BadRequest when there is no such probe.
    """
    probes = probes_of(plan.probes)
    facts = await machine(Crew(folder / "facts.log"), [*theme.programs, *TOOLS])
    tally = Tally()
    await _measure(subjects, probes, plan.effort, tally, progress)
    effort = {"rounds": str(plan.effort.rounds), "seconds of each": f"{plan.effort.seconds:g}"}
    return Report(
        bench=theme.bench,
        facts=facts | {"datapath": datapath_name(plan.datapath), **theme.how, **effort},
        quantities=tally.quantities,
        subjects=[it.name for it in subjects],
        ours=[it.name for it in subjects if it.name in theme.ours],
        series=tally.series,
        missing=[*tally.missing, *theme.missing],
        limits=list(theme.limits),
    )


async def _measure(
    subjects: Sequence[Subject], probes: Sequence[Probe], effort: Effort, tally: Tally, progress: Progress
) -> None:
    able = [it for it in probes if not _lacks(it, tally)]
    async with AsyncExitStack() as stack:
        built = []
        for subject in subjects:
            progress(f"building: {subject.name}", 0.0)
            built += await _build(subject, able, tally, stack)
        steps = [
            Step(it.subject, probe.quantities, partial(probe.measure, it, effort.seconds))
            for probe in able
            for it in built
        ]
        await take_turns(steps, effort.rounds, tally, progress)
    progress("done", 1.0)


def _lacks(probe: Probe, tally: Tally) -> bool:
    reason = lacking(probe)
    if reason:
        tally.lacks("", reason, probe.quantities)
    return bool(reason)


async def _build(subject: Subject, probes: Sequence[Probe], tally: Tally, stack: AsyncExitStack) -> list[Joined]:
    """One, or none when it cannot be built."""
    try:
        joined = await subject.build(stack)
        await reach(joined)
        for probe in probes:
            await probe.serve(joined.server)
    except OvsnetError as error:
        tally.lacks(subject.name, str(error))
        return []
    return [joined]
