"""What every verb of the bench has in common for its user: options, progress on stderr, and where the report goes.

A verb that measures is three lines: its options make a plan, and `measured` runs it in a sandbox and delivers.
"""

import asyncio
import functools
import importlib.util
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from ovsnet.bench.options import rounds_option
from ovsnet.bench.report import Report, to_csv, to_json
from ovsnet.bench.tally import Effort, Progress
from ovsnet.model.errors import BadRequest

STDOUT = "-"
HIDDEN = ("/run", "/proc", "/sys")
"""What a sandbox has of its own: files there would be gone with it."""
NOTHING = 2
"""Exit code when nothing was measured."""
PLOTS = "matplotlib>=3.11,<4"
"""What the extra `plots` of the package brings."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Output:
    """Where a report goes beside the terminal; empty is nowhere, `-` is stdout, where the table is not shown then."""

    json: str = ""
    csv: str = ""
    plots: str = ""

    def check(self) -> None:
        """BadRequest when one of them cannot be written: before anything is measured."""
        if self.json == self.csv == STDOUT:
            raise BadRequest("--json - and --csv -: only one of them can go to standard output; give the other a file")
        for option, name in (("--json", self.json), ("--csv", self.csv)):
            if name not in {"", STDOUT}:
                _check_folder(option, Path(name), Path(name).absolute().parent)
                if Path(name).is_dir():
                    raise BadRequest(f"{option} {name}: that is a folder; name a file")
        if self.plots:
            # It is made when it is not there, in the nearest folder that is.
            wanted = Path(self.plots)
            above = next(it for it in (wanted.absolute(), *wanted.absolute().parents) if it.exists())
            _check_folder("--plot", wanted, above)
            if importlib.util.find_spec("matplotlib") is None:
                how = f"install ovsnet[plots], or: {sys.executable} -m pip install '{PLOTS}'"
                raise BadRequest(f"--plot {self.plots}: matplotlib, which draws, is not installed; {how}")


def output_options(verb: Callable[P, R]) -> Callable[..., R]:
    """`--json`, `--csv`, `--plot`; gives the verb an `Output` as `output`, checked."""

    @functools.wraps(verb)
    def with_output(*args: P.args, **kwargs: P.kwargs) -> R:
        names = {it: str(kwargs.pop(f"{it}_to") or "") for it in ("json", "csv", "plots")}
        kwargs["output"] = output = Output(**names)
        output.check()
        return verb(*args, **kwargs)

    target: dict[str, Any] = {"metavar": "FILE", "is_flag": False, "flag_value": STDOUT}
    with_options: Callable[..., R] = with_output
    for option in (
        click.option("--plot", "plots_to", metavar="FOLDER", help="Write figures there, as PNG and SVG."),
        click.option("--csv", "csv_to", help="Write a line per value and round; - is standard output.", **target),
        click.option("--json", "json_to", help="Write the report as JSON; - or nothing: standard output.", **target),
    ):
        with_options = option(with_options)
    return with_options


def effort_options(verb: Callable[P, R]) -> Callable[..., R]:
    """`--rounds`, `--seconds`, `--quick`; gives the verb an `Effort` as `effort`."""

    @functools.wraps(verb)
    def with_effort(*args: P.args, **kwargs: P.kwargs) -> R:
        rounds, seconds, quick = (kwargs.pop(it) for it in ("rounds", "seconds", "quick"))
        kwargs["effort"] = Effort(1, 1.0) if quick else Effort(int(str(rounds)), float(str(seconds)))
        return verb(*args, **kwargs)

    with_options: Callable[..., R] = with_effort
    for option in (
        click.option("--quick", is_flag=True, help="One round of one second each: to see that it works."),
        click.option(
            "--seconds",
            default=2,
            show_default=True,
            type=click.IntRange(1, 3600),
            help="Seconds of each measurement.",
        ),
        rounds_option(5),
    ):
        with_options = option(with_options)
    return with_options


def measured(run: Callable[[Path, Progress], Awaitable[Report]], output: Output) -> NoReturn:
    """Run in a sandbox, with its folder, and deliver. Ends the process: 0, or 2 when nothing was measured."""
    from ovsnet.agent import logs
    from ovsnet.bench.sandbox import enclosed
    from ovsnet.settings import Settings

    logs.configure(Settings(log_level="error"))

    def work(folder: Path) -> None:
        # What is made for a moment only goes with the folder, whatever ends us.
        tempfile.tempdir = str(folder)

        async def reported() -> Report:
            with progress() as tell:
                return await run(folder, tell)

        deliver(asyncio.run(reported()), output)

    enclosed(work)


def deliver(report: Report, output: Output) -> None:
    """Write what was asked for, and show a table unless stdout has something else; ends with 2 when it is empty."""
    for name, text in ((output.json, to_json(report) + "\n"), (output.csv, to_csv(report))):
        if name == STDOUT:
            click.echo(text, nl=False)
        elif name:
            Path(name).write_text(text)
            click.echo(f"wrote {name}", err=True)
    if output.plots:
        for path in draw(report, Path(output.plots)):
            click.echo(f"wrote {path}", err=True)
    if STDOUT not in {output.json, output.csv}:
        from rich.console import Console

        from ovsnet.bench.tables import show

        show(report, Console())
    if not report.measured:
        reasons = "; ".join(dict.fromkeys(it.reason for it in report.missing))
        click.echo(f"ovsnet: nothing was measured: {reasons or 'nothing was asked for'}", err=True)
        sys.exit(NOTHING)


def draw(report: Report, folder: Path, name: str = "", kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Its figures in this folder; what matplotlib keeps for the next time is not kept."""
    with tempfile.TemporaryDirectory() as kept:
        os.environ.setdefault("MPLCONFIGDIR", kept)
        from ovsnet.bench.plots import plots

        return plots(report, folder, name or report.bench, kinds)


@contextmanager
def progress() -> Iterator[Progress]:
    """Where it is: a bar with the remaining time on a terminal, a line for each step otherwise; on stderr."""
    from rich import progress as rich_progress
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step, part: click.echo(f"{part:4.0%} {step}", err=True)
        return
    columns = (
        rich_progress.BarColumn(bar_width=30),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.description}", markup=False),
    )
    # Over the whole run: the steps take turns, and some take much longer than others.
    with rich_progress.Progress(*columns, console=console, transient=True, speed_estimate_period=3600) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, part: bar.update(task, description=step, completed=part)


def _check_folder(option: str, name: Path, folder: Path) -> None:
    real = folder.resolve()
    if any(real.is_relative_to(it) for it in HIDDEN):
        raise BadRequest(
            f"{option} {name}: the bench runs with a {real.parents[-2] if len(real.parts) > 2 else real} of its own, "
            "and what it writes there is gone afterwards; name another place"
        )
    if not real.is_dir():
        raise BadRequest(f"{option} {name}: there is no folder {folder}; make it first")
    if not os.access(real, os.W_OK):
        raise BadRequest(f"{option} {name}: {folder} cannot be written; name another place")
