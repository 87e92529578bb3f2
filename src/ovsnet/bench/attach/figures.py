"""What the figures of `ovsnet bench attach` are called, and what follows from them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ovsnet.bench.networks import NONE
from ovsnet.bench.report import Better, Quantity, Report, Series


@dataclass(frozen=True, slots=True)
class Names:
    """The quantities with one number of endpoints there."""

    start: Quantity
    beyond: Quantity
    connect: Quantity
    many: Quantity
    many_p95: Quantity
    control: Quantity
    switch: Quantity

    @property
    def all(self) -> list[Quantity]:
        """Those that a network has; memory is that of the host."""
        return [self.start, self.connect, self.many, self.many_p95]


def names_of(filled: int, parallel: int) -> Names:
    """With so many endpoints there and so many containers started at once."""

    def quantity(what: str, unit: str = "ms") -> Quantity:
        return Quantity(f"{what}, {filled} endpoints there", unit, Better.LOWER)

    return Names(
        start=quantity("start"),
        beyond=quantity("start beyond no network"),
        connect=quantity("connect"),
        many=quantity(f"start of {parallel} at once"),
        many_p95=quantity(f"start of {parallel} at once, p95 of one"),
        control=quantity("memory of the control plane", "MiB"),
        switch=quantity("memory of the switch", "MiB"),
    )


def beyond(report: Report, names: Sequence[Names]) -> Report:
    """The report with what each network adds to a start: round by round, the start less that without a network.

    On a busy machine it can be less than nothing.
    """
    quantities, series = list(report.quantities), list(report.series)
    for it in names:
        floor = report.values(it.start.name, NONE)
        added = [
            Series(quantity=it.beyond.name, subject=subject, values=_less(values, floor))
            for subject in report.subjects
            if subject != NONE and (values := report.values(it.start.name, subject)) and floor
        ]
        if added:
            quantities.insert(quantities.index(it.start) + 1, it.beyond)
            series += added
    return msgspec.structs.replace(report, quantities=quantities, series=series)


def _less(values: Sequence[float], floor: Sequence[float]) -> list[float]:
    return [round(value - least, 3) for value, least in zip(values, floor, strict=False)]
