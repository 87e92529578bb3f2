"""Nothing is waited for by the clock (row 96): the product sleeps in the places named here, for the reason given."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "ovsnet"
# How often in which file, and why nothing better is to be had.
ALLOWED = {
    "agent/fabric.py": (1, "nobody tells when an address comes to an interface that other members reach us by"),
    "agent/keeper.py": (1, "flock(2) takes no deadline, and nobody tells when a lock is free"),
    "agent/memory.py": (1, "a pause between two writes of one file in a storm of changes"),
    "bench/containers.py": (1, "nobody tells when the kernel has taken apart what belonged to a container"),
    "bench/churn.py": (3, "a window in which nothing happens; containers that come at a rate and live for a while"),
    "bench/dockerd.py": (1, "nobody tells when an engine that is being started answers"),
    "bench/flows.py": (1, "nobody tells when a bridge that was just made takes a flow monitor"),
    "bench/host.py": (1, "an agent that is not there yet cannot tell when it comes"),
    "bench/inventory.py": (1, "nobody tells when all that is to go has gone"),
    "bench/numbered.py": (1, "fping tells of packets in a file"),
    "bench/probes/interface.py": (1, "no program that listens tells when it does"),
    "bench/probes/trafgen.py": (2, "windows of time in which packets are counted"),
    "bench/scale.py": (3, "windows of time in which CPU is counted, and signs of life that come evenly"),
    "bench/station.py": (1, "nobody tells when a server that is being started answers"),
    "bench/wiring.py": (1, "nobody tells when an agent has put an interface into its namespace"),
    "cli/cluster.py": (1, "an agent that starts anew cannot tell when it is back"),
    "cli/status.py": (1, "an agent that is not there yet cannot tell when it comes"),
    "control/multicast/groups.py": (
        1,
        "a pause between two commits while many join at once, or until a refused one is tried again",
    ),
    "control/membership/leaving.py": (1, "ovsdb-server tells nobody when a server has come into the cluster"),
    "control/membership/succession.py": (1, "who comes back with a database of the past tells nobody"),
    "engine/events.py": (2, "back-off while the engine is away; a pause between two listings in a storm of events"),
    "ovs/monitor.py": (
        3,
        "back-off after a monitor that ended; nobody tells when Open vSwitch is back, nor when ovs-ofctl listens",
    ),
    "ovs/reportwatch.py": (1, "containers that talk without end get no more of us"),
    "ovsdb/database.py": (1, "back-off while a database server is away"),
}
SLEEPS = {"asyncio.sleep", "time.sleep", "trio.sleep", "anyio.sleep", "threading.Event().wait", "signal.pause"}


def sleeps(source: str) -> Iterator[int]:
    """The lines of a module that wait for the clock; `select` with nothing to wait for is a sleep, too."""
    tree = ast.parse(source)
    names = _imported(tree)
    for call in (it for it in ast.walk(tree) if isinstance(it, ast.Call)):
        called = _name(call.func, names)
        nothing = all(isinstance(it, ast.List) and not it.elts for it in call.args[:3])
        if called in SLEEPS or (called == "select.select" and nothing):
            yield call.lineno


def _imported(tree: ast.Module) -> dict[str, str]:
    """What a name of this module stands for: `from time import sleep as doze` makes doze time.sleep."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.update({it.asname or it.name: f"{node.module}.{it.name}" for it in node.names})
        elif isinstance(node, ast.Import):
            names.update({it.asname: it.name for it in node.names if it.asname})
    return names


def _name(node: ast.expr, names: dict[str, str]) -> str:
    first, _, rest = ast.unparse(node).partition(".")
    known = names.get(first, first)
    return f"{known}.{rest}" if rest else known


@pytest.mark.row(96)
def test_nothing_sleeps_but_what_is_listed_here() -> None:
    found = {str(it.relative_to(SOURCE)): list(sleeps(it.read_text())) for it in sorted(SOURCE.rglob("*.py"))}

    assert {name: len(lines) for name, lines in found.items() if lines} == {
        name: count for name, (count, _) in ALLOWED.items()
    }


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\nasync def f(): await asyncio.sleep(1)",
        "from time import sleep as doze\ndoze(1)",
        "import time as clock\nclock.sleep(0.1)",
        "import select\nselect.select([], [], [], 1)",
    ],
)
def test_a_sleep_is_found_however_it_is_written(source: str) -> None:
    assert len(list(sleeps(source))) == 1
