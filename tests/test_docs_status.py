"""docs/status.md says what the recorded results say, and claims nothing that no test stands for."""

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_status_is_made_from_the_results() -> None:
    check = subprocess.run([sys.executable, ROOT / "scripts" / "generate_status.py", "--check"], check=False)
    assert check.returncode == 0


def test_every_recorded_test_still_exists() -> None:
    for file in (ROOT / "docs" / "results").glob("*.json"):
        for test in json.loads(file.read_text())["tests"]:
            module, _, name = test.partition("::")
            tree = ast.parse((ROOT / module).read_text())
            functions = {it.name for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name.split("[")[0].rpartition("::")[2] in functions, f"{test} is gone; run: make status"
