"""Make docs/status.md of docs/rows.toml and of what the last recorded test runs said (docs/results/*.json).

    generate_status.py            write it
    generate_status.py --check    exit 1 when it differs

A row is done when at least one recorded test carries its number and none that does has failed.
"""

import json
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import generated
from generated import ROOT

STATUS = ROOT / "docs" / "status.md"
HEAD = """# What works today

Made by `make status` from the tests that carry a row's number; not edited by hand.
*done*: every test of the row passed in the last recorded run. *not yet*: no test carries it.
Priorities: M must, S should, C could, X out of scope.
"""


def render(rows: list[dict[str, Any]], runs: dict[str, Any]) -> str:
    """The whole page."""
    tests = {test: it for run in runs.values() for test, it in run["tests"].items()}
    lines = [HEAD]
    for name, run in runs.items():
        versions = ", ".join(f"{key} {value}" for key, value in sorted(run["versions"].items()))
        lines.append(f"* run `{name}`: {versions}")
    lines += ["", "| # | P | Requirement | State | Tests | Measured |", "|---|---|---|---|---|---|"]
    done = 0
    for row in rows:
        mine = {test: it for test, it in sorted(tests.items()) if row["number"] in it["rows"]}
        state = _state(mine)
        done += state == "done"
        lines.append(
            f"| {row['number']} | {row['priority']} | {row['title']} | {state} | {_names(mine)} | {_figures(mine)} |"
        )
    lines += ["", f"{done} of {len(rows)} rows are done.", ""]
    return "\n".join(lines)


def _state(tests: dict[str, Any]) -> str:
    if not tests:
        return "not yet"
    return "done" if all(it["outcome"] == "passed" for it in tests.values()) else "**failing**"


def _names(tests: dict[str, Any]) -> str:
    files: dict[str, int] = {}
    for test in tests:
        file = Path(test.split("::")[0]).name
        files[file] = files.get(file, 0) + 1
    return ", ".join(f"`{file}` ({count})" for file, count in sorted(files.items()))


def _figures(tests: dict[str, Any]) -> str:
    known = {name: value for it in tests.values() for name, value in it["figures"].items()}
    return "; ".join(f"{name} {value}" for name, value in sorted(known.items()))


def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "rows.toml").read_text())["row"]
    return rows


def _runs() -> dict[str, Any]:
    files = sorted((ROOT / "docs" / "results").glob("*.json"))
    return {file.stem: _present(json.loads(file.read_text())) for file in files}


def _present(run: dict[str, Any]) -> dict[str, Any]:
    """Without the tests that have gone since, or are called otherwise: nobody knows what they would say today."""
    return run | {"tests": {test: it for test, it in run["tests"].items() if _exists(test)}}


def _exists(test: str) -> bool:
    """By pytest's name of it: file::function[parameters]."""
    file, _, rest = test.partition("::")
    function = rest.partition("[")[0].rpartition("::")[2]
    return f"def {function}(" in _source(ROOT / file)


@cache
def _source(file: Path) -> str:
    return file.read_text() if file.exists() else ""


if __name__ == "__main__":
    sys.exit(generated.main(str(__doc__), {STATUS: render(_rows(), _runs())}, again="make status"))
