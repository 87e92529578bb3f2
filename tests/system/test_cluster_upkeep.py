"""A cluster in the hands of who looks after it: upgraded host by host, saved and restored, recovered from its ruin.

One cluster lives through all of it, in this order; it is made by an earlier version.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence

import pytest
from tests.rig.cluster import Cluster, await_network, join_command, networks_of
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.earlier import SCHEMA
from tests.system.faults import Crossing, lossless
from tests.system.networks import ask, create

SOURCES = str(PROJECT / "src/ovsnet")
EARLIER = "/opt/earlier"
# Longer than the upgrade of a host takes, as with the usual settings.
OPTIONS = ("--set", "heartbeat_period=1", "--set", "dead_after=20")
SAVED = "/root/saved.db"


def step_back(host: NamespaceHost) -> None:
    """From now on everything of ours that starts on this host is the earlier version."""
    host.run("python3", str(PROJECT / "tests/system/earlier.py"), SOURCES, EARLIER)
    host.run("mount", "--bind", EARLIER, SOURCES)


def upgrade(host: NamespaceHost) -> None:
    """The usual way: stop, install, start."""
    host.agent.stop()
    host.run("umount", "-l", SOURCES)
    host.agent.start(*OPTIONS)


@pytest.fixture(scope="module")
def old_cluster(rig: Rig) -> Iterator[Crossing]:
    """Three hosts of the earlier version, a network, a container on each."""
    cluster = Cluster(rig, [rig.host() for _ in range(3)])
    try:
        for host in cluster.hosts:
            step_back(host)
            host.agent.start(*OPTIONS)
        cluster.form()
        yield Crossing(cluster)
    finally:
        cluster.down()


def schema_of(host: NamespaceHost) -> str:
    """The version of the cluster's database, as this host's server has it: one that takes over another one hangs up."""
    question = ("ovsdb-client", "--no-leader-only", "get-schema-version", "unix:/run/ovsnet/cluster.sock")

    def answer() -> str:
        return host.run(*question, "OVSNet_Cluster", check=False).stdout.strip()

    return wait_until(answer, 10, "an answer")


def names_known_to(host: NamespaceHost) -> set[str]:
    """The containers of all hosts, by the name service's word."""
    return {it["name"] for it in ask(host, "dns")}


@pytest.mark.row(78, 99)
def test_hosts_are_upgraded_one_after_the_other_and_no_packet_is_lost(old_cluster: Crossing, figures: Figures) -> None:
    cluster = old_cluster.cluster
    leader = cluster.leader()
    others = [it for it in cluster.hosts if it is not leader]
    assert {schema_of(host) for host in cluster.hosts} == {SCHEMA}

    with old_cluster.traffic(*cluster.hosts) as floods:
        for number, host in enumerate((leader, *others)):
            upgrade(host)
            cluster.settle()
            if number < 2:
                assert schema_of(host) == SCHEMA, "not before the last host knows the new one"
                create(host, f"made-{number}")
                refused = create(host, "blue", "", "--ipam-opt", "space=blue", check=False)
                assert "upgrade host" in refused.stderr, "older hosts would take its subnet for a common one"
                for it in cluster.hosts:
                    await_network(it, f"made-{number}")
                old_cluster.starts(host, f"new-{number}")
                old_cluster.all_reach_all()
        wait_until(lambda: schema_of(cluster.hosts[0]) != SCHEMA, 30, "the newer schema")
        old_cluster.well()

    figures["datagrams lost while three hosts were upgraded"] = f"0 of {lossless(floods)}"
    every = {f"c-{it.name}" for it in cluster.hosts} | {"new-0", "new-1"}
    for host in cluster.hosts:
        wait_until(lambda it=host: every <= names_known_to(it), 20, f"what had no place before, on {host.name}")  # type: ignore[misc]


def test_a_backup_is_for_its_owner_only_and_replaces_no_file(old_cluster: Crossing) -> None:
    host = old_cluster.cluster.hosts[1]

    host.ovsnet("cluster", "backup", SAVED)

    assert host.shell(f"stat -c '%a %U' {SAVED}").stdout.split() == ["600", "root"]
    again = host.ovsnet("cluster", "backup", SAVED, check=False)
    assert (again.ok, "--force" in again.stderr) == (False, True)
    assert host.ovsnet("cluster", "backup", SAVED, "--force").ok
    assert (
        "cluster_id"
        in host.run(
            "ovsdb-tool", "query", SAVED, '["OVSNet_Cluster",{"op":"select","table":"Cluster","where":[]}]'
        ).stdout
    )


def test_what_was_removed_is_restored_on_all_hosts_and_no_packet_is_lost(
    old_cluster: Crossing, figures: Figures
) -> None:
    cluster = old_cluster.cluster
    host = cluster.hosts[1]
    host.docker("network", "rm", "made-0")
    create(host, "later")
    await_on(cluster, ["made-1", "web", "later"])

    with old_cluster.traffic(*cluster.hosts) as floods:
        said = host.ovsnet("cluster", "restore", SAVED).stdout
        await_on(cluster, ["made-0", "made-1", "web"])
        old_cluster.well()

    assert "Networks made again: made-0. Networks removed: later." in said
    figures["datagrams lost while the cluster's database was restored"] = f"0 of {lossless(floods)}"
    one, other = (it.start_container("again", network="made-0") for it in cluster.hosts[:2])
    wait_until(lambda: one.pings(other.address("made-0")), 20, "containers on the network that came back")


def await_on(cluster: Cluster, networks: Sequence[str]) -> None:
    for host in cluster.hosts:
        wait_until(lambda it=host: sorted(networks_of(it)) == sorted(networks), 20, f"{networks} on {host.name}")  # type: ignore[misc]


def test_a_report_holds_no_key_and_no_token(old_cluster: Crossing) -> None:
    host = old_cluster.cluster.hosts[0]
    token = join_command(host.ovsnet("cluster", "token").stdout)[-1]
    secrets = {token, token.removeprefix("ovsnet1-")}
    for name in ("ca.key", "host.key", "host.pem", "ca.pem"):
        secrets |= set(re.findall(r"^[\w+/=]{40,}$", host.read_file(f"/var/lib/ovsnet/cluster/{name}"), re.MULTILINE))
    assert len(secrets) > 8

    host.ovsnet("report", "-o", "/root/report.tar.gz")

    packed = host.run("base64", "-w0", "/root/report.tar.gz").stdout
    found = unpacked(packed)
    assert {"cluster.json", "members.json", "doctor.json"} <= found.keys()
    assert [name for name, text in found.items() for it in secrets if it in text] == []
    doctor = {it["subject"]: it for it in json.loads(found["doctor.json"])}
    assert [doctor[it]["level"] for it in ("cluster", "cluster ports", "cluster members")] == ["ok"] * 3
    assert "all 2 others answer" in doctor["cluster members"]["says"]


def unpacked(packed: str) -> dict[str, str]:
    import base64  # noqa: PLC0415

    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
        members = [(it.name.partition("/")[2], archive.extractfile(it)) for it in archive.getmembers()]
        return {name: file.read().decode(errors="replace") for name, file in members if file is not None}


@pytest.mark.long
def test_one_voter_goes_on_alone_and_who_comes_back_follows_it(old_cluster: Crossing, figures: Figures) -> None:
    """The hardest case: the others were not gone for good, and went on as a majority in the past meanwhile."""
    cluster = old_cluster.cluster
    survivor, *others = cluster.hosts

    with cluster.cut_off(survivor):
        wait_until(lambda: not cluster.status(survivor)["available"], 60, "no majority any more")
        warned = survivor.ovsnet("cluster", "recover", check=False)
        assert not warned.ok
        assert all(word in warned.stderr for word in ("gone for good", "--yes", cluster.address(others[0])))
        assert not cluster.status(survivor)["available"]

        said = survivor.ovsnet("cluster", "recover", "--yes", timeout=120).stdout
        assert "has the only vote now" in said
        wait_until(lambda: cluster.status(survivor)["available"], 30, "a database that takes changes")
        create(survivor, "here")
        await_network(survivor, "here")
        wait_until(lambda: create(others[0], "there", check=False).ok, 30, "a network on the other side")

    cluster.settle(120)
    await_on(cluster, ["made-0", "made-1", "web", "here"])
    old_cluster.well()
    old_cluster.all_reach_all()
    assert cluster.leader() is survivor or cluster.raft_servers() == 3
    for host in others:
        assert host.exists("/var/lib/ovsnet/cluster/cluster.db.old")
