"""Figures of a report, for a talk or a page: for each group of quantities horizontal bars, ours in colour and first.

The same report gives the same bytes. Needs matplotlib, which is optional (`ovsnet[plots]`), and no display.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ovsnet.bench.groups import CPU, groups
from ovsnet.bench.report import Better, Quantity, Report
from ovsnet.bench.stats import advantage, spread
from ovsnet.bench.tables import number_text, ratio_number

OURS, ALSO_OURS, PEER, INK, FAINT = "#0072B2", "#56B4E9", "#B8B8B8", "#222222", "#666666"
"""Colours that people who see few colours tell apart, by lightness, too (Okabe and Ito)."""
PANELS = 6
"""Quantities in a figure."""
COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}
"""How many of so many are beside each other."""
WIDTH, HEIGHT, DPI = 12.8, 7.2, 100
"""Inches: 1280 by 720 points."""
ROOM = {1: 1.25, 2: 1.45, 3: 1.75}
"""How many times the longest bar an axis is long, by columns: what is written behind a bar needs room."""
SIZE = {1: 13.0, 2: 11.0, 3: 9.5}
"""Points of what is written behind a bar, by columns."""
STYLE = {
    "svg.hashsalt": "ovsnet",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "axes.edgecolor": "#CCCCCC",
}


def plots(report: Report, folder: Path, name: str, kinds: Sequence[str]) -> list[Path]:
    """Write `folder`/`name`-GROUP.KIND for every group that was measured; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for group, quantities in _pages(report):
        with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its keys are literals there
            figure = _figure(report, group, quantities)
            for kind in kinds:
                path = folder / f"{name}-{_slug(group)}.{kind}"
                figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
                written.append(path)
    return written


def _pages(report: Report) -> Iterator[tuple[str, Sequence[Quantity]]]:
    """A group with more quantities than a figure has room for gets several."""
    for group, quantities in groups(report).items():
        pages = -(-len(quantities) // PANELS)
        each = -(-len(quantities) // pages)
        for page in range(pages):
            yield f"{group} {page + 1}" if pages > 1 else group, quantities[page * each : (page + 1) * each]


def _figure(report: Report, group: str, quantities: Sequence[Quantity]) -> Figure:
    columns = COLUMNS[len(quantities)]
    rows = -(-len(quantities) // columns)
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    axes = figure.subplots(rows, columns, squeeze=False)
    subjects = _ordered(report, quantities)
    for number, panel in enumerate(axes.flat):
        if number < len(quantities):
            _panel(panel, report, quantities[number], subjects, columns=columns)
            panel.set_yticks(*_names(subjects, shown=number % columns == 0))
        else:
            panel.set_axis_off()
    figure.suptitle(_title(report, group, quantities), x=0.01, y=0.985, ha="left", va="top", fontsize=17, weight="bold")
    figure.text(0.01, 0.925, _legend(report, subjects), ha="left", va="top", fontsize=11, color=FAINT)
    figure.text(0.01, 0.008, _facts(report), ha="left", va="bottom", fontsize=7.5, color=FAINT)
    longest = max(len(it) for it in subjects)
    figure.subplots_adjust(left=0.015 + 0.0064 * longest, right=0.99, top=0.83, bottom=0.09, wspace=0.06, hspace=0.24)
    return figure


def _panel(panel: Axes, report: Report, quantity: Quantity, subjects: Sequence[str], *, columns: int) -> None:
    """One quantity of all subjects, the first on top."""
    places = range(len(subjects), 0, -1)
    found = [(place, it) for place, it in zip(places, subjects, strict=True) if report.values(quantity.name, it)]
    spreads = [spread(report.values(quantity.name, it)) for _, it in found]
    medians = [it.median for it in spreads]
    whiskers = [[it.median - it.low for it in spreads], [it.high - it.median for it in spreads]]
    panel.barh(
        [place for place, _ in found],
        medians,
        height=0.72,
        color=[_colour(report, it) for _, it in found],
        xerr=whiskers if any(it.high > it.low for it in spreads) else None,
        error_kw={"ecolor": FAINT, "elinewidth": 1.2, "capsize": 2.5},
    )
    longest = max((it.high for it in spreads), default=0.0) or 1.0
    room = longest * ROOM[columns]
    panel.set_xlim(0, room)
    panel.set_ylim(0.4, len(subjects) + 0.6)
    for (place, subject), it in zip(found, spreads, strict=True):
        weight = "bold" if subject in report.ours else "normal"
        words = _words(report, quantity, subject)
        panel.text(it.high + 0.02 * room, place, words, va="center", fontsize=SIZE[columns], weight=weight)
    for place in set(places) - {place for place, _ in found}:
        panel.text(0.01 * room, place, "not measured", va="center", fontsize=SIZE[columns] - 1, color=FAINT)
    title = f"{quantity.name}{f' ({quantity.unit})' if quantity.unit else ''}"
    panel.set_title(title, fontsize=min(11.5, 400 / columns / len(title) * 3.2), loc="left")
    panel.spines[["top", "right", "bottom"]].set_visible(False)
    # The numbers stand at the bars.
    panel.tick_params(axis="x", bottom=False, labelbottom=False)
    panel.tick_params(axis="y", length=0, labelsize=10.5)


def _names(subjects: Sequence[str], *, shown: bool) -> tuple[list[int], list[str]]:
    """Where the bars are, and what stands before them."""
    return list(range(len(subjects), 0, -1)), list(subjects) if shown else [""] * len(subjects)


def _ordered(report: Report, quantities: Sequence[Quantity]) -> list[str]:
    """Ours first, then the peers, as far as they were measured."""
    has = {it.subject for it in report.series if it.quantity in {quantity.name for quantity in quantities}}
    return [it for it in (*report.ours, *report.peers) if it in has]


def _colour(report: Report, subject: str) -> str:
    if subject not in report.ours:
        return PEER
    return OURS if subject == report.ours[0] else ALSO_OURS


def _words(report: Report, quantity: Quantity, subject: str) -> str:
    """The median, and how many times as good our chief subject is."""
    values = report.values(quantity.name, subject)
    text = number_text(spread(values).median)
    chief = report.ours[0] if report.ours else subject
    found = advantage(report.values(quantity.name, chief), values, quantity.better)
    return text if subject == chief or found is None else f"{text}  (x {ratio_number(found.median)})"


def _title(report: Report, group: str, quantities: Sequence[Quantity]) -> str:
    """What it shows, and which direction is good."""
    directions = {it.better for it in quantities}
    good = {Better.HIGHER: "longer is better", Better.LOWER: "shorter is better"}
    direction = good[directions.pop()] if len(directions) == 1 else "the good direction differs"
    datapath = report.facts.get("datapath")
    where = f", {datapath} datapath" if datapath else ""
    what = "Processor time for what was carried" if group.startswith(CPU) else group
    return f"{what} ({report.bench}{where}): {direction}"


def _legend(report: Report, subjects: Sequence[str]) -> str:
    rounds = max(len(it.values) for it in report.series)
    ratio = f"   (x N): {report.ours[0]} is so many times as good" if report.ours and report.ours[0] in subjects else ""
    whiskers = "   whiskers: lowest and highest" if rounds > 1 else ""
    return f"median of {rounds} round{'s' if rounds > 1 else ''}{whiskers}{ratio}"


def _facts(report: Report) -> str:
    """In two lines at most."""
    facts = [f"{key} {value}" for key, value in report.facts.items()]
    half = -(-len(facts) // 2)
    return "\n".join(" · ".join(it) for it in (facts[:half], facts[half:]) if it)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
