"""For all tiers: which tier a test is of, no silent skips in CI, and hypothesis without a clock."""

import os
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.rig.fixtures", "tests.rows"]

TESTS = Path(__file__).parent
# What a test is by where it stands; a mark on the test itself ("kernel", "matrix") comes on top.
TIERS = {"functional": "functional", "system": "system", "rig": "system"}
# What a test is by what it asks for: those with several hosts run beside those with one.
CLUSTERS, ONE_HOST = {"session_cluster", "own_cluster"}, "session_host"

# Programs that outlive an agent are units of systemd's where the agent is one. In a test it is none, whoever runs it.
os.environ.pop("INVOCATION_ID", None)

# The machine is slow at times and the host is shared: no verdicts by the clock, and the same examples
# in every run of CI, so that a red run can be repeated.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=100)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS):
            tier = TIERS.get(item.path.relative_to(TESTS).parts[0])
            if tier:
                item.add_marker(tier)
            if _has_several_hosts(item):
                item.add_marker("cluster")


def _has_several_hosts(item: pytest.Item) -> bool:
    """True for who asks for the cluster, and for who builds another one."""
    asked = set(getattr(item, "fixturenames", ()))
    builds = hasattr(getattr(item, "module", None), "Cluster") and ONE_HOST not in asked
    return builds or bool(CLUSTERS & asked)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that did not run is a failure: there is no row that is proven on laptops only."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
