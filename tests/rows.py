"""pytest plugin: which requirement rows a test stands for, what it measured, and which known fault it would find.

    @pytest.mark.row(2, 96)                     the rows this test shows
    def test_…(figures): figures["lost"] = 0    what it measured, for docs/status.md
    @pytest.mark.fault("port-stays")            a fault of docs/faults.toml; see scripts/generate_faults.py

`pytest --record-rows FILE` writes the outcome of every marked test, the figures and the versions into FILE, in place of
what an earlier run said of the same tests;
scripts/generate_status.py makes docs/status.md of those files.
"""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

Figures = dict[str, object]
_FIGURES = pytest.StashKey[Figures]()
_RESULTS = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that switches recording on."""
    parser.addoption("--record-rows", type=Path, help="write the outcome of tests marked with row(…) into this file")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and the place results are collected in."""
    config.addinivalue_line("markers", "row(number, …): the requirement rows this test shows (docs/rows.toml)")
    config.addinivalue_line("markers", "fault(name): a fault this test would find (docs/faults.toml)")
    config.stash[_RESULTS] = {"tests": {}, "versions": {}}


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """What this test measured, by name; shown in docs/status.md."""
    measured: Figures = request.node.stash.setdefault(_FIGURES, {})
    return measured


@pytest.fixture(scope="session")
def versions(request: pytest.FixtureRequest) -> dict[str, str]:
    """The versions the tests of this run were made on; fixtures that start a host add to it."""
    known: dict[str, str] = request.config.stash[_RESULTS]["versions"]
    return known


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the outcome of a marked test; a failed set-up counts as failed."""
    report = yield
    rows = sorted({int(number) for mark in item.iter_markers("row") for number in mark.args})
    if rows and (report.when == "call" or report.failed):
        figures: Figures = item.stash.get(_FIGURES, {})
        shown: dict[str, Any] = {"rows": rows, "outcome": report.outcome, "figures": figures}
        item.config.stash[_RESULTS]["tests"][item.nodeid] = shown
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was collected."""
    file = session.config.getoption("--record-rows")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(file.read_text()) if file.exists() else {}
        new = session.config.stash[_RESULTS]
        whole = {part: known.get(part, {}) | new[part] for part in new}
        file.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
