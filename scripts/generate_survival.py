"""Make docs/survival.md of what the last `make survival` said (docs/results/survival-*.json).

generate_survival.py            write it
generate_survival.py --check    exit 1 when it differs
"""

import json
import sys
from typing import Any

import generated
from generated import ROOT

PAGE = ROOT / "docs" / "survival.md"
RESULTS = ROOT / "docs" / "results"
RUNS = {
    "userspace": "The userspace datapath",
    "kernel": "The kernel datapath",
    "newest": "The newest engine and switch",
}
HEAD = """# What survives what

Made by `make survival` from what its tests said; not edited by hand. Each line is something that happens to a host, and
what its containers notice while numbered UDP packets go between two of them and through a published port, at most 1000
a second each, and a TCP connection between the two is held. Each is a test of `tests/system/test_survival.py`, named in
the last column; what it does is in `tests/system/happenings.py`. *holds* means more than the figures say:

* no more was noticed than may be;
* `ovsnet check` was clean within 5 s, with nobody's help;
* all containers had the addresses and MAC addresses they had before, and answered;
* there were as many ports, veths, flows, groups, meters, firewall rules, leases and files as before, and the very same
  ones where no container was made anew.

Where something happens to a single container, that is a third one, and the figures are of the others.
A gap is the longest time in which nothing that was sent arrived; 0.01 s is one pause of the sender.
"""
COLUMNS = {
    "May be noticed": "may be noticed",
    "Lost": "packets lost between containers",
    "Gap, s": "longest gap between containers, s",
    "Published: lost": "packets lost through a published port",
    "Gap, s ": "longest gap through a published port, s",
    "TCP waits, s": "longest wait on a TCP connection, s",
    "All answer after, s": "seconds until all containers answer",
    "Clean after, s": "seconds until `ovsnet check` is clean",
}
FOOT = """
The kernel datapath runs on a machine with a kernel of its own and one slow processor (User-mode Linux): a program takes
up to a second to start there, `ovsnet check` alone two. At most 200 packets a second are sent there. When the switch
was started again, an ordinary bridge beside ours stood still for 0.13 to 0.87 s
([decision 77](decisions/0077-a-switch-that-begins-anew-is-written-to-first.md)).

A pause is for all packets alike, and shows in what TCP waits: an `ovs-vswitchd` that has lost its database forwards
nothing in its userspace datapath until it has it back (`bridge_run()` returns early without the lock), and looks for it
at once, after 1 s, after 2 more. Nothing of that can be set from outside. What was sent meanwhile waits and arrives.

An engine that starts while no agent is there waits 15 s for our plugin, and 15 s more for each container that it is to
start by itself on a network of ours, one after the other, and gives those containers up. In the test no container
starts by itself; they are started by hand when the agent is there. With our systemd units there is always somebody:
the socket is systemd's, and a call starts the agent.

While the disk below the store is full, containers that run go on, what is asked for is refused, and an agent that is
killed comes back. What could not be written down, such as an address that is released, is collected later like any
orphan.

A store whose file is gone or damaged while an agent runs gets all back from the agent; a damaged file is kept as
`ovsnet.db.damaged`. When the agent is dead, too, a damaged file is left to people: [store.md](store.md).
"""


def render(runs: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for name, run in runs.items() for line in _run(name, run)), FOOT.lstrip("\n")])


def _run(name: str, run: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{key} {value}" for key, value in sorted(run["versions"].items()))
    head = ["What happens", "Holds", *(it.strip() for it in COLUMNS), "Test"]
    lines = [f"## {RUNS[name]}", "", f"{versions}.", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for test, found in run["tests"].items():
        what = happening(test)
        figures = [str(found["figures"].get(it, "")) for it in COLUMNS.values()]
        holds = "yes" if found["outcome"] == "passed" else "**no**"
        lines.append(f"| {what} | {holds} | {' | '.join(figures)} | `{test.rpartition('::')[2]}` |")
    return [*lines, ""]


def happening(test: str) -> str:
    """What a recorded test is about: its parameter."""
    return test.partition("[")[2].rstrip("]")


def recorded() -> dict[str, dict[str, Any]]:
    """The runs there are, by their names."""
    files = {name: RESULTS / f"survival-{name}.json" for name in RUNS}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


if __name__ == "__main__":
    sys.exit(generated.main(str(__doc__), {PAGE: render(recorded())}, again="make generate"))
