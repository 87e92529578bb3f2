"""Row 95: an agent with nothing to do does nothing."""

import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks

CONTAINERS = 10
SECONDS = 20
LARGEST_SHARE = 0.01
MOST_MEMORY = 80.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A process at one moment: seconds of processor time so far, resident MiB, and how often it woke up."""

    cpu: float
    memory: float
    wakes: int


def read(host: NamespaceHost, *pids: int) -> dict[int, Reading]:
    shown = host.shell("; ".join(f"cat /proc/{it}/stat; cat /proc/{it}/status" for it in pids)).stdout
    stats = [line.rpartition(") ")[2].split() for line in shown.splitlines() if ") " in line and ":" not in line]
    ticks = int(host.run("getconf", "CLK_TCK").stdout)
    memory = [int(line.split()[1]) / 1024 for line in shown.splitlines() if line.startswith("VmRSS:")]
    wakes = [int(line.split()[1]) for line in shown.splitlines() if line.startswith("voluntary_ctxt_switches:")]
    cpu = [(int(it[11]) + int(it[12])) / ticks for it in stats]  # utime and stime, proc(5)
    return {pid: Reading(*it) for pid, it in zip(pids, zip(cpu, memory, wakes, strict=True), strict=True)}


@pytest.mark.row(95)
def test_an_idle_agent_uses_next_to_nothing(host: NamespaceHost, figures: Figures) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    networks.start(host, *(f"c{number}" for number in range(CONTAINERS)), network="web")
    names = {f"c{number}" for number in range(CONTAINERS)}
    wait_until(
        lambda: {it["container"] for it in networks.ask(host, "endpoints")} == names,
        10,
        "every container is known by name",
    )
    agent, store, keeper = host.agent.pid, host.agent.store_pid, host.agent.keeper_pid

    before = read(host, agent, store, keeper)
    began = time.monotonic()
    wakes = [before[agent].wakes]
    for _ in range(SECONDS):
        time.sleep(1)  # a part of the measurement
        wakes.append(read(host, agent)[agent].wakes)
    after = read(host, agent, store, keeper)
    took = time.monotonic() - began

    share = {pid: (after[pid].cpu - before[pid].cpu) / took for pid in before}
    figures["agent, % of a core"] = round(100 * share[agent], 2)
    figures["store and keeper, % of a core"] = round(100 * (share[store] + share[keeper]), 2)
    figures["agent, MiB resident"] = round(after[agent].memory, 1)
    figures["store and keeper, MiB resident"] = round(after[store].memory + after[keeper].memory, 1)
    figures["agent, times awake per second"] = round((after[agent].wakes - before[agent].wakes) / took, 2)
    assert share[agent] < LARGEST_SHARE
    assert after[agent].memory < MOST_MEMORY
    # Something that asks "anything new?" ten times a second would show here even where it costs no measurable time.
    # A burst is not that: the kernel tells of each port of a bridge for some seconds after a container started.
    assert median(later - sooner for sooner, later in pairwise(wakes)) < 2
