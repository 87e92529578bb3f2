"""Make docs/benchmarks.md and its figures of the reports in docs/benchmarks/*.json, and of limits.toml there, which
says why targets are missed.

generate_benchmarks.py            write them
generate_benchmarks.py --check    exit 1 when one differs
"""

import sys
import tempfile
from pathlib import Path

import generated
import msgspec
from generated import ROOT

from ovsnet.bench.delivery import draw
from ovsnet.bench.page import page
from ovsnet.bench.report import from_json
from ovsnet.bench.targets import Limit

KEPT = ROOT / "docs" / "benchmarks"
LIMITS = KEPT / "limits.toml"


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
    return {ROOT / "docs" / "benchmarks.md": page(reports, names, limits()), **made}


def limits() -> list[Limit]:
    """What is known of why targets are missed."""
    return msgspec.toml.decode(LIMITS.read_bytes(), type=dict[str, list[Limit]]).get("limit", [])


if __name__ == "__main__":
    sys.exit(generated.main(str(__doc__), files(), again="make generate"))
