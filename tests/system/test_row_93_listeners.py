"""Rows 92 and 93 on members: three ports, on the address they were given, for who has a certificate of the cluster."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rig.cluster import QUICK, Cluster
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.system.together import together

pytestmark = pytest.mark.row(92, 93)

AGENTS, DATABASE, RAFT = 7641, 7642, 7643
FOLDER = "/var/lib/ovsnet/cluster"
KNOCK = str(Path(__file__).with_name("knock.py"))
STRANGER = "/root/stranger"
CERTIFICATES = {
    "member": (f"{FOLDER}/host.pem", f"{FOLDER}/host.key"),
    "stranger": (f"{STRANGER}/cert.pem", f"{STRANGER}/key.pem"),
}
CASES = ("plain", "anonymous", "stranger")


def listeners(host: Host) -> set[tuple[str, int]]:
    """Address and port of every socket our processes listen at, TCP and UDP."""
    family = _family(host)
    found = set()
    for line in host.run("ss", "-Hlntup").stdout.splitlines():
        if {int(it) for it in re.findall(r"pid=(\d+)", line)} & family:
            address, _, port = line.split()[4].rpartition(":")
            found.add((address, int(port)))
    return found


def _family(host: Host) -> set[int]:
    """The keeper and everything below it."""
    processes = host.processes()
    family = {host.agent.keeper_pid}
    while more := {pid for pid, (parent, _) in processes.items() if parent in family} - family:
        family |= more
    return family


@pytest.fixture
def stranger(cluster: Cluster) -> Iterator[NamespaceHost]:
    """A member's host, whose user has certificates of another authority with that very member's name."""
    host = cluster.hosts[2]
    name = f"/CN={cluster.hosts[0].name}"
    host.shell(
        f"mkdir -p {STRANGER} && cd {STRANGER} && "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-keyout key.pem -out cert.pem -subj {name} 2>/dev/null"
    )
    yield host
    host.run("rm", "-rf", STRANGER)


@pytest.mark.fault("open-ports")
def test_a_voter_listens_at_three_ports_of_its_cluster_address_and_nowhere_else(cluster: Cluster) -> None:
    """And what it has on disk, and its Unix sockets, are for root only."""
    for host in cluster.hosts:
        address = cluster.address(host)
        assert listeners(host) == {(address, AGENTS), (address, DATABASE), (address, RAFT)}

        files = (f"{FOLDER}/{it}" for it in ("host.key", "ca.key", "member.json", "cluster.db"))
        modes = host.run("stat", "-c", "%a %U", FOLDER, *files, "/run/ovsnet/cluster.sock").stdout.splitlines()
        assert (modes[0], {*modes[1:]} <= {"600 root", "640 root"}) == ("700 root", True), modes


def test_a_member_without_a_vote_listens_at_one_port(cluster: Cluster, bare_member: NamespaceHost) -> None:
    assert listeners(bare_member) == {(cluster.address(bare_member), AGENTS)}


@pytest.fixture
def bare_member(cluster: Cluster) -> Iterator[NamespaceHost]:
    """A fourth member: four hosts have three votes."""
    host = cluster.rig.host()
    host.agent.start(*QUICK)
    cluster.admit(host)
    yield host
    host.ovsnet("cluster", "leave", timeout=90)
    cluster.hosts.remove(host)
    cluster.settle()
    cluster.rig.discard(host)


@pytest.mark.fault("open-ports")
def test_every_port_refuses_who_has_no_certificate_of_the_cluster(cluster: Cluster, stranger: NamespaceHost) -> None:
    """Whoever speaks no TLS, shows none, or one that another authority made for a member's name."""
    victim = cluster.address(cluster.hosts[0])
    for port in (DATABASE, RAFT):
        answers = {case: knocked(stranger, victim, port, case) for case in CASES}
        assert answers == dict.fromkeys(CASES, ""), (port, answers)
    assert knocked(stranger, victim, AGENTS, "plain") == ""
    assert knocked(stranger, victim, AGENTS, "stranger") == ""
    assert "OVSNet_Cluster" in knocked(stranger, victim, DATABASE, "member"), "who has one is answered"


def test_without_a_certificate_the_agents_port_gives_away_its_authority_and_takes_tokens_only(
    cluster: Cluster, stranger: NamespaceHost
) -> None:
    address = cluster.address(cluster.hosts[0])
    open_to_all = {"/v1/ca": 200}
    closed = ("/v1/hello", "/v1/forget", "/v1/yield", "/v1/promote", "/v1/leave", "/v1/recovered")
    asked = [("GET", it) for it in open_to_all] + [("GET" if it == "/v1/hello" else "POST", it) for it in closed]

    def status(request: tuple[str, str]) -> int:
        method, path = request
        curl = ("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, "-d", "{}")
        return int(stranger.run(*curl, f"https://{address}:{AGENTS}{path}").stdout)

    statuses = dict(zip([path for _, path in asked], together(status, asked), strict=True))

    assert statuses == open_to_all | dict.fromkeys(closed, 403)
    said = stranger.run("curl", "-sk", f"https://{address}:{AGENTS}/v1/ca").stdout
    assert "PRIVATE" not in said
    assert said.strip() == cluster.hosts[0].read_file(f"{FOLDER}/ca.pem").strip()


def knocked(host: Host, address: str, port: int, case: str) -> str:
    """What a port says to an OVSDB echo, or an HTTP request; "" when the door stays shut."""
    return host.run("python3", KNOCK, address, str(port), case, *CERTIFICATES.get(case, ())).stdout.strip()
