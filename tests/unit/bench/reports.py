"""Reports for tests: two subjects of ours, two peers, and what was not measured."""

from ovsnet.bench.report import Better, Missing, Quantity, Report, Series

RATE = Quantity("TCP, 1 stream", "Gbit/s", Better.HIGHER)
COST = Quantity("CPU per Gbit, TCP, 1 stream", "ms/Gbit", Better.LOWER)
DELAY = Quantity("TCP round trip p50", "µs", Better.LOWER)
OURS, INTERNAL, BRIDGE, VETH = "ovsnet", "ovsnet internal port", "Docker bridge", "veth"


def series(quantity: Quantity, subject: str, *values: float) -> Series:
    return Series(quantity=quantity.name, subject=subject, values=list(values))


def report(*more: Series, facts: dict[str, str] | None = None, bench: str = "connection") -> Report:
    """`more` takes the place of what is there."""
    found = {
        (it.quantity, it.subject): it
        for it in (
            series(RATE, OURS, 18.0, 20.0, 22.0),
            series(RATE, BRIDGE, 10.0, 10.0, 10.0),
            series(COST, OURS, 50.0, 50.0, 50.0),
            series(COST, BRIDGE, 100.0, 110.0, 120.0),
            series(DELAY, OURS, 30.0, 31.0, 32.0),
            series(DELAY, VETH, 15.0, 15.5, 16.0),
            *more,
        )
    }
    return Report(
        bench=bench,
        facts={"kernel": "6.1", "datapath": "kernel", **(facts or {})},
        quantities=[RATE, COST, DELAY],
        subjects=[OURS, INTERNAL, BRIDGE, VETH],
        ours=[OURS, INTERNAL],
        series=list(found.values()),
        missing=[
            Missing(subject=INTERNAL, reason="it is not\n  available"),
            Missing(subject=VETH, reason="x failed", quantity=RATE.name),
            Missing(subject=VETH, reason="x failed", quantity=COST.name),
        ],
        limits=["both ends share the processors"],
    )
