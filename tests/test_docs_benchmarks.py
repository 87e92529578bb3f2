"""docs/benchmarks.md and its figures say what the kept reports say."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "benchmarks"


def test_the_page_and_the_figures_are_made_from_the_reports() -> None:
    script = ROOT / "scripts" / "generate_benchmarks.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_no_figure_is_left_of_a_report_that_is_gone() -> None:
    shown = set(re.findall(r"\]\(benchmarks/([^)]+)\)", (ROOT / "docs" / "benchmarks.md").read_text()))
    assert {it.name for it in KEPT.glob("*.svg")} == shown
