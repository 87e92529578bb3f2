"""docs/benchmarks.md: what the reports kept in docs/benchmarks/ say. Pure.

`scripts/generate_benchmarks.py` writes it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from ovsnet.bench.groups import groups
from ovsnet.bench.report import Quantity, Report
from ovsnet.bench.stats import spread
from ovsnet.bench.tables import missing_lines, named, ratio_number, ratio_text, spread_text
from ovsnet.bench.targets import TARGETS, Judged, Limit, State, judged

HEAD = """# Benchmarks

Made by `make generate` from the reports in `docs/benchmarks/`; not edited by hand. `ovsnet bench BENCH --json
docs/benchmarks/BENCH-DATAPATH.json` makes one, [cli.md](cli.md) says what there is to measure.

All subjects of a report were measured in one run and in turns (A B C, A B C, …). Figures belong to one machine; the
ratios are what can be compared with another one. A ratio above 1 is in favour of ovsnet, whichever direction is good,
and ±5% means that the lowest and the highest round are 10 % apart.
"""
NOTHING = (
    "Nothing is here yet: no report has been kept. What `ovsnet bench` shows on your machine is not less true for that."
)


def page(reports: Mapping[str, Report], figures: Mapping[str, Sequence[str]], limits: Sequence[Limit] = ()) -> str:
    """The whole page, of reports by file name without its ending, the file names of the figures of each, and what keeps
    targets out of reach.
    """
    parts = [HEAD, *_targets(list(reports.values()), limits)]
    for name, report in reports.items():
        parts += _section(name, report, figures.get(name, ()))
    return "\n".join([*parts, *([] if reports else [NOTHING, ""])])


def _targets(reports: Sequence[Report], limits: Sequence[Limit]) -> Iterator[str]:
    """Shown without a report, too: what is not measured is no secret."""
    found = judged(TARGETS, reports)
    missed = [it.target for it in found if it.state is State.MISSED]
    told = [it for it in limits if any(map(it.concerns, missed))]
    yield "## Targets\n"
    yield _row("Bench", "Datapath", "Quantity", "At least", "Measured", "")
    yield _row(*["---"] * 6)
    for it in found:
        yield _target(it, told)
    yield ""
    if told:
        yield "Why they are missed:\n"
        yield "\n".join(f"{number}. {it.why}" for number, it in enumerate(told, 1)) + "\n"


def _target(it: Judged, told: Sequence[Limit]) -> str:
    target = it.target
    wanted = f"{target.factor:g} × {target.peer}"  # noqa: RUF001 - a sign people know
    found = spread_text(it.measured, ratio_number) if it.measured else ""
    state = str(it.state)
    if it.state is State.MISSED:
        numbers = [str(number) for number, limit in enumerate(told, 1) if limit.concerns(target)]
        state = f"**{state}** ({', '.join(numbers)})" if numbers else f"**{state}**"
    return _row(target.bench, target.datapath, f"{target.quantity}, {target.subject}", wanted, found, state)


def _section(name: str, report: Report, figures: Sequence[str]) -> Iterator[str]:
    yield f"## {name.replace('-', ', ')}\n"
    yield "; ".join(f"{key} {value}" for key, value in report.facts.items()) + ".\n"
    for mine in (it for it in report.ours if it in report.measured):
        if peers := [it for it in report.measured if it != mine]:
            yield f"### {mine} is so many times as good as …\n"
            yield from _table(report, peers, partial(ratio_text, report, mine))
    if report.measured:
        rounds = max(len(it.values) for it in report.series)
        yield f"### What was measured, median of {rounds}\n"
        yield from _table(report, report.measured, partial(_figure, report))
    for it in figures:
        yield f"![{it.removesuffix('.svg').replace('-', ' ')}](benchmarks/{it})\n"
    if report.missing:
        yield "Not measured:\n"
        yield "\n".join(f"* {_cell(it)}" for it in missing_lines(report)) + "\n"
    if report.limits:
        yield "What the figures do not tell:\n"
        yield "\n".join(f"* {_cell(it)}" for it in report.limits) + "\n"


def _table(report: Report, columns: Sequence[str], cell: Callable[[Quantity, str], str]) -> Iterator[str]:
    yield _row("", *columns)
    yield _row("---", *["---:"] * len(columns))
    for name, quantities in groups(report).items():
        yield _row(f"*{name}*", *[""] * len(columns))
        for it in quantities:
            cells = [cell(it, column) for column in columns]
            if any(cells):
                yield _row(_cell(named(it)), *cells)
    yield ""


def _figure(report: Report, quantity: Quantity, subject: str) -> str:
    values = report.values(quantity.name, subject)
    return spread_text(spread(values)) if values else ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "(").replace("]", ")")
