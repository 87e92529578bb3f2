"""docs/faults.md: every fault of the list has a test, and every test that is marked names one of the list."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_fault_has_its_tests_and_the_page_is_made_of_them() -> None:
    script = ROOT / "scripts" / "generate_faults.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
