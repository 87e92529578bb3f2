"""The `ovsnet bench` verbs."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ovsnet.bench.crowd import Size
from ovsnet.bench.delivery import Output, deliver, effort_options, measured, output_options, subject_options
from ovsnet.bench.growth import ScaleReport, rows_of
from ovsnet.bench.report import Report
from ovsnet.bench.rounds import Effort
from ovsnet.settings import Settings


@click.group()
def bench() -> None:
    """Measure on this machine, as ratios against a peer in the same run."""


@bench.command()
@click.option(
    "--rounds",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Counted rounds of each case.",
)
@click.option(
    "--parallel",
    default=10,
    show_default=True,
    type=click.IntRange(1, 200),
    help="Containers started at once.",
)
@click.option("--docker-socket", default=Settings().docker_socket, show_default=True, help="The engine's socket.")
@output_options
def attach(rounds: int, parallel: int, docker_socket: str, output: Output) -> None:
    """What ovsnet adds to a container's start and to `network connect`, against Docker's bridge driver."""
    deliver(asyncio.run(_attach(rounds, parallel, docker_socket)), output)


async def _attach(rounds: int, parallel: int, docker_socket: str) -> Report:
    from ovsnet.bench.attach import AttachBench
    from ovsnet.bench.engine import BenchEngine

    async with BenchEngine(docker_socket) as engine:
        report: Report = await AttachBench(
            engine, rounds, parallel, lambda text: click.echo(text, file=sys.stderr)
        ).run()
        return report


@bench.command()
@effort_options
@subject_options
@click.option("--tso/--no-tso", default=True, show_default=True, help="Large segments in the userspace datapath.")
@output_options
def connection(
    effort: Effort, only: Sequence[str], probe: Sequence[str], datapath: str, output: Output, *, tso: bool
) -> None:
    """Two containers of one host: ours against what others use, in turns. Needs root; leaves nothing behind."""
    from ovsnet.bench.connection.bench import Plan, run
    from ovsnet.bench.datapath import chosen_datapath
    from ovsnet.bench.probes.choice import probes_of

    probes_of(probe)
    plan = Plan(effort, chosen_datapath(datapath), only, probe, tso)
    measured(lambda folder, progress: run(folder, plan, progress), output)


@bench.command()
@effort_options
@subject_options
@click.option(
    "--underlay-offload/--no-underlay-offload",
    "offload",
    default=True,
    show_default=True,
    help="Whether the wire between the hosts carries large packets in one piece, as NICs with offloads for tunnels do.",
)
@output_options
def overlay(
    effort: Effort, only: Sequence[str], probe: Sequence[str], datapath: str, output: Output, *, offload: bool
) -> None:
    """Containers of two hosts: ours against what others use, in turns. Needs root; leaves nothing behind."""
    from ovsnet.bench.datapath import chosen_datapath
    from ovsnet.bench.overlay.bench import Plan, run
    from ovsnet.bench.probes.choice import probes_of

    probes_of(probe)
    plan = Plan(effort, chosen_datapath(datapath), only, probe, offload)
    measured(lambda folder, progress: run(folder, plan, progress), output)


@bench.command()
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--fail-below",
    type=click.FloatRange(0, min_open=True),
    metavar="FACTOR",
    help="Exit 1 when B has one of ours less than so many times as good as A, by more than the spread.",
)
@click.option("--json", "as_json", is_flag=True, help="The comparison as JSON.")
def compare(a: Path, b: Path, fail_below: float | None, *, as_json: bool) -> None:
    """What is better or worse in report B than in report A, both made with --json.

    Ratios to the others of the same run are what survives another machine: where there are any, `--fail-below` looks
    at these.
    """
    from ovsnet.bench.compare import comparison, failing
    from ovsnet.bench.comparison_tables import show_comparison
    from ovsnet.bench.report import from_json

    found = comparison(*(from_json(it.read_bytes(), str(it)) for it in (a, b)))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        from rich.console import Console

        show_comparison(found, Console())
    worse = failing(found, fail_below) if fail_below else []
    for it in worse:
        click.echo(f"ovsnet: {it.told}: {it.factor:.2f} times as good as before, below {fail_below:g}", err=True)
    sys.exit(1 if worse else 0)


@bench.command()
@click.option("--hosts", default="10,100,1000", show_default=True, help="Hosts of each size, separated by commas.")
@click.option(
    "--endpoints", default="100,1000,10000", show_default=True, help="Endpoints on other hosts, as many sizes as hosts."
)
@click.option("--quick", is_flag=True, help="Short windows and few changes, at the first size only.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def scale(hosts: str, endpoints: str, *, quick: bool, as_json: bool) -> None:
    """What a larger cluster costs one of its members; the other hosts are rows of its database. Needs root."""
    from ovsnet.agent import logs
    from ovsnet.bench.sandbox import enclosed
    from ovsnet.bench.scale import sizes_of

    sizes = sizes_of(hosts, endpoints)[: 1 if quick else None]
    logs.configure(Settings(log_level="error"))

    def work(folder: Path) -> None:
        report = asyncio.run(_scale(folder, sizes, quick=quick))
        if as_json:
            click.echo(msgspec.json.encode(report).decode())
        else:
            _print_scale(report)

    enclosed(work)


async def _scale(folder: Path, sizes: Sequence[Size], *, quick: bool) -> ScaleReport:
    from ovsnet.bench.scale import QUICK, Effort, ScaleBench

    effort = QUICK if quick else Effort()
    return await ScaleBench(folder, sizes, effort, lambda text: click.echo(text, err=True)).run()


def _print_scale(report: ScaleReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for case in dict.fromkeys(it.case for it in report.growth):
        steps = list(dict.fromkeys(it.step for it in report.growth))
        title = f"scale, the host has {case}: growth by that of what it needs to know (1 and less: no faster)"
        table = Table("quantity", *steps, title=title)
        for row in rows_of([it for it in report.growth if it.case == case], lambda it: it.step, steps):
            table.add_row(
                row[0], *(f"{it.relative:.2f} ({it.grew:.1f} by {it.known:.1f})" if it else "" for it in row[1])
            )
        console.print(table)
    for case in dict.fromkeys(it.case for it in report.figures):
        sizes = list(dict.fromkeys(it.size for it in report.figures))
        table = Table("quantity", *sizes, title=f"scale, the host has {case}: hosts/endpoints")
        for quantity, found in rows_of([it for it in report.figures if it.case == case], lambda it: it.size, sizes):
            table.add_row(quantity, *(f"{it.value:.4g} {it.unit}".rstrip() if it else "" for it in found))
        console.print(table)
    console.print("not measured: " + "; ".join(report.unmeasured), style="dim")
    console.print(", ".join(f"{key} {value}" for key, value in report.facts.items()), style="dim")
