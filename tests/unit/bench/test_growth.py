"""How growth is told: by how much faster something grows than what a host needs to know."""

from ovsnet.bench.growth import Measured, growths, report_of


def measured(quantity: str, hosts: int, known: int, value: float, case: str = "one") -> Measured:
    return Measured(
        case=case, quantity=quantity, unit="ms", hosts=hosts, endpoints=hosts * 10, known=known, value=value
    )


def test_growth_is_told_from_each_size_to_the_next_by_that_of_what_is_known() -> None:
    figures = [measured("time", 10, 110, 2.0), measured("time", 100, 1100, 6.0), measured("time", 1000, 11000, 120.0)]
    first, second = growths(figures)
    assert first.step == "10 hosts/100 endpoints → 100 hosts/1000 endpoints"
    assert (first.grew, first.known, first.relative) == (3.0, 10.0, 0.3)
    assert (second.grew, second.relative) == (20.0, 2.0)


def test_cases_and_quantities_are_not_mixed_and_nothing_grows_from_nothing() -> None:
    figures = [
        measured("time", 10, 10, 1.0),
        measured("time", 100, 100, 3.0, case="other"),
        measured("lost", 10, 10, 0.0),
        measured("lost", 100, 100, 5.0),
    ]
    assert not list(growths(figures))


def test_the_report_has_a_subject_for_each_case_and_a_quantity_for_each_size_and_step() -> None:
    figures = [measured("time", 10, 110, 2.0), measured("time", 100, 1100, 6.0), measured("time", 10, 11, 1.0, "other")]
    report = report_of(figures, {"cores": "2"}, ["packets"])
    assert report.subjects == report.ours == ["one", "other"]
    assert report.values("time, 10 hosts/100 endpoints", "one") == [2.0]
    assert report.values("time, 10 hosts/100 endpoints", "other") == [1.0]
    assert report.values("growth of time, 10 hosts/100 endpoints → 100 hosts/1000 endpoints", "one") == [0.3]
    assert report.values("hosts and endpoints to know, 100 hosts/1000 endpoints", "one") == [1100]
    assert "not measured: packets" in report.limits
