"""Which quantities are shown together: one part of a table, one figure. Pure."""

from collections.abc import Sequence

from ovsnet.bench.report import Quantity, Report

CPU = "Processor time"
GROWTH = "growth"
"""How the names of quantities begin that tell how another one grows."""
BY_UNIT = {
    "Gbit/s": "Throughput",
    "Mbit/s": "Throughput",
    "kpps": "Packet rate",
    "1/s": "Rate",
    "µs": "Time",
    "ms": "Time",
    "s": "Time",
    "MiB": "Memory",
}


def group_of(quantity: Quantity) -> str:
    """Its name for people: what a processor does for it is one group, growth another, the others go by their unit."""
    if quantity.name.startswith("CPU"):
        return CPU
    if quantity.name.startswith(GROWTH):
        return GROWTH.capitalize()
    return BY_UNIT.get(quantity.unit, "Counts")


def groups(report: Report) -> dict[str, Sequence[Quantity]]:
    """The quantities of a report by group, in the report's order; processor time is last."""
    found: dict[str, list[Quantity]] = {}
    for it in report.quantities:
        found.setdefault(group_of(it), []).append(it)
    return {name: found[name] for name in sorted(found, key=lambda name: name == CPU)}
