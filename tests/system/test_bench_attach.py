"""`ovsnet bench attach`: a small run, so that the rig of the bench cannot rot."""

from tests.rig.namespace_host import NamespaceHost
from tests.rows import Figures


def test_bench_attach_reports_ratios_and_leaves_nothing(host: NamespaceHost, figures: Figures) -> None:
    before = host.docker("image", "ls", "-q").stdout, host.docker("network", "ls", "-q").stdout
    report = host.ovsnet("bench", "attach", "--rounds", "2", "--parallel", "3", "--json", timeout=180).json()
    assert {it["case"] for it in report["ratios"]} == {"start", "connect", "start x3"}
    assert all(it["low"] <= it["median"] <= it["high"] for it in (*report["ratios"], *report["figures"]))
    assert report["facts"]["engine"] == host.versions.engine
    assert (host.docker("image", "ls", "-q").stdout, host.docker("network", "ls", "-q").stdout) == before
    assert host.docker("ps", "-aq").stdout == ""
    for it in report["ratios"]:
        figures[f"attach ratio {it['case']}"] = it["median"]
