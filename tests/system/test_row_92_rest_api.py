"""Row 92: the agent's API, on a local socket, as its OpenAPI document says. Row 93: and on nothing else."""

import json
import re
from pathlib import Path

import pytest
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.networks import API
from tests.system.schema import complaints

DOCUMENT = PROJECT / "docs/api.yaml"
SOCKET = "/run/ovsnet/api.sock"
MODES = {
    SOCKET: "600 root root socket",
    "/run/ovsnet/store.sock": "600 root root socket",
    "/run/docker/plugins/ovsnet.sock": "600 root root socket",
    "/var/lib/ovsnet/ovsnet.db": "600 root root regular file",
}
OF_A_MEMBER = "/v1/cluster/backup"
"""Answered by a host that is in a cluster only, and tested there (test_cluster_upkeep); refused here."""


def documented() -> list[str]:
    """The paths of the document as it is in the repository."""
    return re.findall(r"^  (/v1/\S+):$", DOCUMENT.read_text(), re.MULTILINE)


@pytest.mark.row(92)
def test_every_documented_route_of_a_busy_agent_answers_as_documented(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64", "--label", "a=b")
    networks.start(host, "c1", "c2", network="web")
    document = json.loads(host.run(*API, "http://ovsnet/v1/openapi.json").stdout)
    paths = documented()
    assert sorted(paths) == sorted(document["paths"])

    for path in (it for it in paths if "get" in document["paths"][it] and it != OF_A_MEMBER):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        at = f"http://ovsnet{path.replace('{network}', 'web')}"
        if "application/json" not in content:
            assert host.shell(f"{' '.join(API)} {at} | tar -tz").stdout.startswith("ovsnet-report/")
            continue
        answer = json.loads(host.run(*API, at).stdout)
        assert complaints(answer, content["application/json"]["schema"], document, path) == []


@pytest.mark.row(92)
def test_a_refusal_is_as_documented_too(host: NamespaceHost) -> None:
    document = json.loads(host.run(*API, "http://ovsnet/v1/openapi.json").stdout)
    for method, path, status in (
        ("GET", "networks/nobody", "404"),
        ("DELETE", "networks", "405"),
        ("GET", "x", "404"),
        ("GET", "cluster/backup", "409"),
    ):
        asked = ("curl", "-s", "-w", "\n%{http_code}", "--unix-socket", SOCKET, "-X", method)
        body, _, code = host.run(*asked, f"http://ovsnet/v1/{path}").stdout.rpartition("\n")
        assert code == status
        assert complaints(json.loads(body), {"$ref": "#/components/schemas/ErrorBody"}, document) == []


@pytest.mark.row(92, 93)
def test_sockets_are_for_root_only_and_nothing_listens_on_the_network(host: NamespaceHost) -> None:
    shown = host.run("stat", "-c", "%n %a %U %G %F", *MODES).stdout.splitlines()
    assert {it.split()[0]: it.partition(" ")[2] for it in shown} == MODES

    curl = f"curl -sS --unix-socket {SOCKET} http://ovsnet/v1/status"
    stranger = host.shell(f"setpriv --reuid=65534 --regid=65534 --clear-groups {curl}", check=False)
    assert not stranger.ok

    ours = {host.agent.keeper_pid, host.agent.pid, host.agent.store_pid}
    listening = host.run("ss", "-Hlntup").stdout
    assert not {int(pid) for pid in re.findall(r"pid=(\d+)", listening)} & ours, listening


@pytest.mark.row(92)
def test_a_group_may_ask_when_the_operator_says_so(bare_host: NamespaceHost) -> None:
    host = bare_host
    host.run("groupadd", "-g", "4242", "netfolk")
    host.agent.start("--set", "api_group=netfolk")

    assert host.run("stat", "-c", "%a %U %G", SOCKET).stdout.strip() == "660 root netfolk"
    for group, welcome in (("4242", True), ("65534", False)):
        ovsnet = Path(PROJECT, ".venv/bin/ovsnet")
        as_somebody = ("setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups", str(ovsnet), "status")
        assert host.run(*as_somebody, check=False).ok is welcome
    host.agent.stop()
