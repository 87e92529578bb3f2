"""The `ovsnet bench` verbs."""

import asyncio
import sys

import click
import msgspec

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
