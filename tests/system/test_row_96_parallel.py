"""Row 96: a hundred attachments at once, in bounded time. That nothing sleeps is shown by tests/test_no_sleeps.py."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tests.rig.host import HERE, Host
from tests.rig.namespace_host import NamespaceHost
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean, left_as, traces

PARALLEL = HERE.parent / "system" / "parallel.py"
CONTAINERS = 20
NETWORKS = 5
FEW = 10
AT_ONCE = CONTAINERS * NETWORKS
BOUND = 60.0
"""Seconds for all; without one, a lost wake-up would look like a slow machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said to one request, and after how many seconds."""

    status: int
    seconds: float
    text: str


def ask(host: Host, at_once: int, requests: Sequence[tuple[str, str, Any]]) -> list[Answer]:
    lines = "\n".join(json.dumps(it) for it in requests)
    said = host.run("python3", str(PARALLEL), "/run/docker.sock", str(at_once), stdin=lines, timeout=150)
    return [Answer(*it) for it in said.json()]


def attach(verb: str, container: str, network: str) -> tuple[str, str, Any]:
    return ("POST", f"/networks/{network}/{verb}", {"Container": container})


def quantile(answers: Sequence[Answer], share: float) -> float:
    ordered = sorted(it.seconds for it in answers)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


@pytest.mark.row(96)
def test_a_hundred_attachments_at_once_all_succeed(host: NamespaceHost, figures: Figures) -> None:
    names = [f"n{number}" for number in range(NETWORKS)]
    for number, name in enumerate(names):
        networks.create(host, name, f"10.{20 + number}.0.0/24", "--internal")
    containers = networks.start(host, *(f"c{number}" for number in range(CONTAINERS)), network="bridge")
    before = traces(host)
    pairs = [(it.name, name) for it in containers for name in names]

    one_by_one = ask(host, 1, [attach("connect", *it) for it in pairs[:FEW]])
    undone = ask(host, 1, [attach("disconnect", *it) for it in pairs[:FEW]])
    assert [it.text for it in (*one_by_one, *undone) if it.status != 200] == []
    left_as(host, before)

    answers = ask(host, AT_ONCE, [attach("connect", *it) for it in pairs])
    assert [it.text for it in answers if it.status != 200] == []
    assert max(it.seconds for it in answers) < BOUND
    given = [it["addresses"][0] for it in networks.ask(host, "endpoints")]
    assert len(given) == len(set(given)) == AT_ONCE
    assert containers[0].pings(containers[-1].address(names[-1]))
    clean(host)

    answers_gone = ask(host, AT_ONCE, [attach("disconnect", *it) for it in pairs])
    assert [it.text for it in answers_gone if it.status != 200] == []
    left_as(host, before)

    figures["one `network connect` after the other, seconds: median, p95"] = (
        f"{quantile(one_by_one, 0.5)}, {quantile(one_by_one, 0.95)}"
    )
    figures["100 at once, seconds until the last one is attached"] = quantile(answers, 1)
    figures["100 at once, seconds until the last one is detached"] = quantile(answers_gone, 1)
