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


def test_every_missed_target_says_why_and_nothing_explains_what_is_not_missed() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    told = set(re.findall(r"^(\d+)\. ", page, re.MULTILINE))
    missed = re.findall(r"\*\*missed\*\*(?: \(([\d, ]+)\))?", page)
    assert all(missed)
    assert {number for it in missed for number in it.split(", ")} == told
    assert len(told) == (KEPT / "limits.toml").read_text().count("[[limit]]")
