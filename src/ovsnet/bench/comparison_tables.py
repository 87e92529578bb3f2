"""A comparison of two reports for a person at a terminal: what differs of the machines first, then ratios, figures."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ovsnet.bench.compare import ENDLESS, ENOUGH, Comparison, Difference, Verdict
from ovsnet.bench.tables import number_text, ratio_number

STYLES = {Verdict.BETTER: "green", Verdict.WORSE: "bold red", Verdict.ALIKE: "dim", Verdict.UNKNOWN: ""}
SHOWN_ALONE = 10


def show_comparison(found: Comparison, console: Console) -> None:
    """All of it."""
    for part in _parts(found):
        console.print(part)


def _parts(found: Comparison) -> Iterator[RenderableType]:
    yield Text(f"{found.bench}: B against A", style="bold")
    if found.facts:
        facts = _plain("differs", "A", "B")
        for fact in found.facts:
            facts.add_row(fact.name, fact.a, fact.b)
        yield facts
    if found.ratios:
        yield Text("ours by a peer of the same run, which survives another machine", style="bold")
        yield _table(found.ratios)
    yield Text("figures, which mean something on one machine only", style="bold")
    yield _table(found.figures)
    for line in found.alone[:SHOWN_ALONE]:
        yield Text(line, style="dim")
    if len(found.alone) > SHOWN_ALONE:
        yield Text(f"and {len(found.alone) - SHOWN_ALONE} more that only one of them has", style="dim")
    counts = {it: sum(difference.verdict is it for difference in found.ratios or found.figures) for it in Verdict}
    yield Text(", ".join(f"{count} {it}" for it, count in counts.items() if count), style="bold")
    if counts[Verdict.UNKNOWN]:
        yield Text(f"unknown: fewer than {ENOUGH} rounds in one of them, so nobody knows the spread", style="dim")


def _table(them: Sequence[Difference]) -> Table:
    """By quantity, which is a line of its own: names are long, terminals are not."""
    table = _plain("", "A", "B", "times as good", "")
    for number in (1, 2, 3):
        table.columns[number].justify = "right"
    for quantity in dict.fromkeys((it.quantity, it.unit) for it in them):
        table.add_row(Text(f"{quantity[0]} [{quantity[1]}]" if quantity[1] else quantity[0], style="italic"))
        for it in (it for it in them if (it.quantity, it.unit) == quantity):
            factor = "∞" if it.factor == ENDLESS else ratio_number(it.factor)
            cells = number_text(it.a), number_text(it.b), factor
            subject = f"  {it.subject} by {it.peer}" if it.peer else f"  {it.subject}"
            table.add_row(Text(subject), *cells, Text(it.verdict, style=STYLES[it.verdict]))
    return table


def _plain(*heads: str) -> Table:
    return Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
