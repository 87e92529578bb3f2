"""docs/survival.md says what the recorded tests said, of every happening there is, and of no other."""

import json
import subprocess
import sys
from pathlib import Path

from tests.system.happenings import HAPPENINGS, ON_ANY_HOST

ROOT = Path(__file__).resolve().parent.parent
MODULE = "tests/system/test_survival.py"


def recorded(name: str) -> set[str]:
    file = ROOT / "docs/results" / f"survival-{name}.json"
    return set(json.loads(file.read_text())["tests"]) if file.exists() else set()


def test_the_survival_page_is_made_from_the_results() -> None:
    check = subprocess.run([sys.executable, ROOT / "scripts" / "generate_survival.py", "--check"], check=False)
    assert check.returncode == 0


def test_every_line_is_a_test_that_exists_and_every_happening_has_its_line() -> None:
    assert recorded("userspace") == {f"{MODULE}::test_survives[{it}]" for it in HAPPENINGS}
    newest = f"{MODULE}::test_survives_with_the_newest_engine_and_switch"
    assert recorded("newest") <= {f"{newest}[{it}]" for it in HAPPENINGS}
    assert recorded("kernel") <= {f"{MODULE}::test_survives_with_the_kernel_datapath[{it}]" for it in ON_ANY_HOST}
