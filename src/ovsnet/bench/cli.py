"""The `ovsnet bench` verbs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from ovsnet.bench.delivery import Output, effort_options, measured, output_options
from ovsnet.bench.options import datapath_option, numbers, only_option, rounds_option, subject_options
from ovsnet.bench.tally import Effort

QUICK_ATTACH = {"rounds": 1, "parallel": 2, "filled": "3"}
PEERS = "Hosts of a cluster that this one is a member of, as rows of its database; 0: no cluster."
RATE = click.FloatRange(0.1, 100)


@click.group()
def bench() -> None:
    """Measure on this machine, as ratios against a peer in the same run."""


@bench.command()
@rounds_option(5)
@click.option(
    "--parallel", default=50, show_default=True, type=click.IntRange(2, 500), help="Containers started at once."
)
@click.option("--filled", default="0,100,1000", show_default=True, help="Endpoints that are there, one case each.")
@click.option("--peers", default=0, show_default=True, type=click.IntRange(0, 1000), help=PEERS)
@only_option
@datapath_option
@click.option("--quick", is_flag=True, help="One round with few containers: to see that it works.")
@output_options
def attach(only: Sequence[str], datapath: str, output: Output, *, quick: bool, **sizes: Any) -> None:
    """What a network adds to a container's start and to `network connect`: ours and Docker's. Needs root."""
    from ovsnet.bench.attach.bench import Plan, run
    from ovsnet.bench.datapath import chosen_datapath

    sizes |= QUICK_ATTACH if quick else {}
    filled = numbers("--filled", sizes.pop("filled"))
    plan = Plan(filled=filled, datapath=chosen_datapath(datapath), only=only, warm_up=not quick, **sizes)
    measured(lambda folder, progress: run(folder, plan, progress), output)


@bench.command()
@rounds_option(5)
@click.option("--seconds", default=10, show_default=True, type=click.IntRange(1, 3600), help="Seconds of each round.")
@click.option("--rate", default=2.0, show_default=True, type=RATE, help="Containers that come in a second.")
@datapath_option
@click.option("--quick", is_flag=True, help="One short round: to see that it works.")
@output_options
def churn(rounds: int, seconds: int, rate: float, datapath: str, output: Output, *, quick: bool) -> None:
    """Containers come and go while two others exchange packets: what they notice, what is left. Needs root."""
    from ovsnet.bench.churn import Plan, run
    from ovsnet.bench.datapath import chosen_datapath

    plan = Plan(1 if quick else rounds, 1 if quick else seconds, rate, chosen_datapath(datapath), warm_up=not quick)
    measured(lambda folder, progress: run(folder, plan, progress), output)


@bench.command()
@rounds_option(5)
@click.option("--event", multiple=True, metavar="NAME", help="Only this event, as the table names it; repeatable.")
@datapath_option
@click.option("--quick", is_flag=True, help="One round: to see that it works.")
@output_options
def restart(rounds: int, event: Sequence[str], datapath: str, output: Output, *, quick: bool) -> None:
    """What containers notice while agent, switch and engine are killed and started again. Needs root."""
    from ovsnet.bench.datapath import chosen_datapath
    from ovsnet.bench.restart import Plan, run

    plan = Plan(1 if quick else rounds, 0.5 if quick else 3.0, chosen_datapath(datapath), event, warm_up=not quick)
    measured(lambda folder, progress: run(folder, plan, progress), output)


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
@output_options
def scale(hosts: str, endpoints: str, output: Output, *, quick: bool) -> None:
    """What a larger cluster costs one of its members; the other hosts are rows of its database. Needs root."""
    from ovsnet.bench.scale import FULL, QUICK, ScaleBench, sizes_of

    sizes, effort = sizes_of(hosts, endpoints)[: 1 if quick else None], QUICK if quick else FULL
    measured(lambda folder, progress: ScaleBench(folder, sizes, effort, progress).run(), output)
