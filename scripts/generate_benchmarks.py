"""Make docs/benchmarks.md and its figures of the reports in docs/benchmarks/*.json.

generate_benchmarks.py            write them
generate_benchmarks.py --check    exit 1 when one differs
"""

import sys
import tempfile
from pathlib import Path

import generated
from generated import ROOT

from ovsnet.bench.delivery import draw
from ovsnet.bench.page import page
from ovsnet.bench.report import from_json

KEPT = ROOT / "docs" / "benchmarks"


def files() -> dict[Path, str | bytes]:
    """The page and the figures of every report."""
    reports = {it.stem: from_json(it.read_bytes(), it.name) for it in sorted(KEPT.glob("*.json"))}
    made: dict[Path, str | bytes] = {}
    names: dict[str, list[str]] = {}
    for name, report in reports.items():
        with tempfile.TemporaryDirectory() as folder:
            for figure in draw(report, Path(folder), name, ("svg",)):
                names.setdefault(name, []).append(figure.name)
                made[KEPT / figure.name] = figure.read_bytes()
    return {ROOT / "docs" / "benchmarks.md": page(reports, names), **made}


if __name__ == "__main__":
    sys.exit(generated.main(str(__doc__), files(), again="make generate"))
