"""Row 96: a hundred attachments at once, in bounded time. That nothing sleeps is shown by tests/test_no_sleeps.py."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tests.rig.host import HERE, Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean, left_as, traces

PARALLEL = HERE.parent / "system" / "parallel.py"
CONTAINERS = 20
NETWORKS = 5
FEW = 10
AT_ONCE = CONTAINERS * NETWORKS
ATTACHMENTS = "/v1/attachments"
SOCKET = "/run/ovsnet/api.sock"
BOUND = 60.0
"""Seconds for all; without one, a lost wake-up would look like a slow machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said to one request, and after how many seconds."""

    status: int
    seconds: float
    text: str


def ask(
    host: Host, at_once: int, requests: Sequence[tuple[str, str, Any]], socket: str = "/run/docker.sock"
) -> list[Answer]:
    lines = "\n".join(json.dumps(it) for it in requests)
    said = host.run("python3", str(PARALLEL), socket, str(at_once), stdin=lines, timeout=150)
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


@pytest.mark.long
@pytest.mark.row(17, 28, 96)
def test_a_hundred_orders_to_attach_at_once_are_all_carried_out(host: NamespaceHost, figures: Figures) -> None:
    networks.create(host, "web", "10.20.0.0/24", "--internal")
    containers = networks.start(host, *(f"c{number}" for number in range(CONTAINERS)), network="none")
    before = traces(host)
    orders = [
        {"target": it.name, "ifname": f"lan{number}", "network": "web"}
        if number == 0
        else {"target": it.name, "ifname": f"lan{number}", "bridge": f"br{number}", "addresses": [address]}
        for index, it in enumerate(containers)
        for number in range(NETWORKS)
        if (address := f"192.168.{number}.{index + 1}/24")
    ]

    answers = ask(host, AT_ONCE, [("POST", f"{ATTACHMENTS}/attach", it) for it in orders], SOCKET)

    assert [it.text for it in answers if it.status != 200] == []
    assert max(it.seconds for it in answers) < BOUND
    assert all(containers[0].pings(f"192.168.{number}.{CONTAINERS}") for number in range(1, NETWORKS))
    clean(host)
    began = time.monotonic()
    host.docker("restart", "-t", "1", *(it.name for it in containers), timeout=120)
    wait_until(lambda: len(networks.ask(host, "endpoints")) == AT_ONCE and in_force(host), 30, "all of it again")
    back = time.monotonic() - began
    assert all(containers[0].pings(f"192.168.{number}.{CONTAINERS}") for number in range(1, NETWORKS))

    gone = ask(
        host,
        AT_ONCE,
        [("POST", f"{ATTACHMENTS}/detach", {"target": it["target"], "ifname": it["ifname"]}) for it in orders],
        SOCKET,
    )
    assert [it.text for it in gone if it.status != 200] == []
    left_as(host, before)
    figures["100 attaches at once, seconds until the last one is up"] = quantile(answers, 1)
    figures["100 attaches at once, seconds: median, p95"] = f"{quantile(answers, 0.5)}, {quantile(answers, 0.95)}"
    figures["100 detaches at once, seconds until the last one is gone"] = quantile(gone, 1)
    figures["20 containers with 5 attached interfaces each restarted, seconds until all are back"] = round(back, 1)


def in_force(host: Host) -> bool:
    return bool(networks.ask(host, "check")["clean"])
