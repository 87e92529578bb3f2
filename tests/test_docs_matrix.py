"""docs/matrix.md says what the recorded matrix says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_matrix_page_is_made_from_the_results() -> None:
    check = subprocess.run([sys.executable, ROOT / "scripts" / "generate_matrix.py", "--check"], check=False)
    assert check.returncode == 0
