"""`ovsnet bench attach`, `churn` and `restart`: small runs with real engines, so that they cannot rot, and one that is
interrupted while containers run.
"""

import signal

import pytest
from tests.functional.bench_run import interrupted, measured
from tests.rows import Figures

NETDEV = ("--datapath", "netdev")


def test_attach_compares_networks_and_tells_what_they_add(figures: Figures) -> None:
    report = measured("attach", "--quick", "--only", "ovsnet", "--only", "Docker bridge", *NETDEV, deadline=120).report
    assert (report.measured, report.missing) == (["ovsnet", "Docker bridge", "no network"], [])
    there = "3 endpoints there"
    for what in ("start", "connect", "start of 2 at once", "start of 2 at once, p95 of one"):
        (took,) = report.values(f"{what}, {there}", "ovsnet")
        assert took > 0
        figures[f"attach: {what}"] = took
    (memory,) = report.values(f"memory of the control plane, {there}", "ovsnet")
    assert 10 < memory < 500
    start, floor = (report.values(f"start, {there}", it)[0] for it in ("ovsnet", "no network"))
    assert report.values(f"start beyond no network, {there}", "ovsnet") == [pytest.approx(start - floor, abs=0.1)]


def test_churn_loses_no_packet_of_others_and_leaves_nothing(figures: Figures) -> None:
    report = measured("churn", "--quick", *NETDEV, deadline=120).report
    assert (report.measured, report.missing) == (["ovsnet", "Docker bridge"], [])
    assert report.values("packets lost", "ovsnet") == [0.0]
    for it in ("ports", "links", "flows", "rows"):
        assert report.values(f"{it} left", "ovsnet") == [0.0]
    figures |= {f"churn: {it.quantity}, {it.subject}": it.values[0] for it in report.series}


def test_an_agent_that_is_killed_costs_no_packet_and_a_switch_some(figures: Figures) -> None:
    events = ("agent killed", "ovs-vswitchd killed")
    report = measured("restart", "--quick", *(f"--event={it}" for it in events), *NETDEV, deadline=120).report
    assert (report.measured, report.missing) == (["ovsnet", "bare OVS bridge"], [])
    assert report.values("packets lost, agent killed", "ovsnet") == [0.0]
    assert report.values("packets lost, ovs-vswitchd killed", "ovsnet")[0] > 0
    figures |= {f"restart: {it.quantity}, {it.subject}": it.values[0] for it in report.series}


def test_a_run_that_is_interrupted_while_containers_run_leaves_nothing() -> None:
    said = interrupted("attach", "--quick", "--only", "ovsnet", *NETDEV, at="3 of 3 containers", signal=signal.SIGINT)
    assert "interrupted; nothing is left behind" in said
