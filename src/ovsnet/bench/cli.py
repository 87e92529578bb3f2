"""The `ovsnet bench` verbs."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ovsnet.bench.crowd import Size
from ovsnet.bench.growth import ScaleReport, rows_of
from ovsnet.bench.stats import Report
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
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def attach(rounds: int, parallel: int, docker_socket: str, *, as_json: bool) -> None:
    """What ovsnet adds to a container's start and to `network connect`, against Docker's bridge driver."""
    report = asyncio.run(_attach(rounds, parallel, docker_socket))
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)


async def _attach(rounds: int, parallel: int, docker_socket: str) -> Report:
    from ovsnet.bench.attach import AttachBench
    from ovsnet.bench.engine import BenchEngine

    async with BenchEngine(docker_socket) as engine:
        return await AttachBench(engine, rounds, parallel, lambda text: click.echo(text, file=sys.stderr)).run()


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


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        "case",
        "ours / bridge",
        "spread",
        title="attach: time against Docker's bridge driver (below 1: faster)",
    )
    for it in report.ratios:
        table.add_row(it.case, f"{it.median:.2f}", f"{it.low:.2f} … {it.high:.2f}")
    console.print(table)
    table = Table("case", "driver", "median ms", "spread ms")
    for row in report.figures:
        table.add_row(row.case, row.subject, f"{row.median:.1f}", f"{row.low:.1f} … {row.high:.1f}")
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in report.facts.items()), style="dim")
