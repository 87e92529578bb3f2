"""What `ovsnet bench attach` works out of what it has measured."""

from ovsnet.bench.attach.figures import beyond, names_of
from ovsnet.bench.networks import NONE
from ovsnet.bench.report import Report, Series


def report(**starts: list[float]) -> Report:
    names = names_of(100, 50)
    subjects = [*(it for it in starts if it != "none"), NONE]
    series = [
        Series(quantity=names.start.name, subject=NONE if it == "none" else it, values=values)
        for it, values in starts.items()
    ]
    return Report(
        bench="attach",
        facts={},
        quantities=[names.start, names.connect],
        subjects=subjects,
        ours=["ovsnet"],
        series=series,
    )


def test_what_a_network_adds_is_told_round_by_round_and_after_the_start() -> None:
    names = names_of(100, 50)
    found = beyond(report(ovsnet=[150.0, 240.0], none=[100.0, 200.0]), [names])
    assert found.values("start beyond no network, 100 endpoints there", "ovsnet") == [50.0, 40.0]
    assert found.quantities == [names.start, names.beyond, names.connect]


def test_without_the_floor_nothing_is_added() -> None:
    before = report(ovsnet=[150.0])
    assert beyond(before, [names_of(100, 50)]) == before
