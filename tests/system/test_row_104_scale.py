"""Row 104: a thousand endpoints on a host that is one of fifty-one, with a real engine. How long a start takes there is
measured by `ovsnet bench attach` (docs/benchmarks.md), which this is a short run of; no verdict is by the clock here.
"""

import pytest
from tests.functional.bench_run import measured
from tests.rows import Figures

ALLOWED = 200e6
"""Bytes of the agent, its store and the relay of the cluster's database together."""
MIB = 1 << 20
LONG = 3000.0
"""Seconds: the engine takes a third of one for each container on an idle machine, and several on a busy one."""


@pytest.mark.long
@pytest.mark.row(104)
def test_a_thousand_endpoints_and_fifty_other_hosts_fit_into_200_megabytes(figures: Figures) -> None:
    report = measured(
        *("attach", "--filled=1000", "--peers=50", "--rounds=1", "--parallel=50", "--only=ovsnet", "--datapath=netdev"),
        deadline=LONG,
    ).report
    assert (report.measured, report.missing) == (["ovsnet", "no network"], [])
    there = "1000 endpoints there"
    (memory,) = report.values(f"memory of the control plane, {there}", "ovsnet")
    starts = {it: report.values(f"start, {there}", it)[0] for it in ("ovsnet", "no network")}
    figures["1000 endpoints, 50 other hosts: MiB of the control plane"] = round(memory)
    figures["1000 endpoints, 50 other hosts: ms of a start, and without a network"] = list(map(round, starts.values()))
    assert memory * MIB < ALLOWED
