"""What an agent remembers of its cluster over a restart without the database."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

import pytest

from ovsnet.agent.memory import Memory, needed
from ovsnet.model.cluster import Beat, Cluster, ClusterInfo, Lease, Member, RemoteEndpoint, SharedNetwork
from ovsnet.model.ids import EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.store.lastseen import LastSeen
from ovsnet.store.shared import SHARED
from tests.states import WEB, endpoint, state

ME, OTHER = HostName("h1"), HostName("h2")
USED, UNUSED = SharedId("used"), SharedId("unused")
HERE = state(replace(WEB, shared=USED), endpoint(1))


def member(name: HostName, address: str) -> Member:
    return Member(name, ip_address(address), ip_address(address), subnets=(IPv4Network("10.1.0.0/16"),))


def remote(number: int, host: HostName, network: SharedId) -> RemoteEndpoint:
    mac = Mac(f"0a:00:00:00:00:{number:02x}")
    return RemoteEndpoint(EndpointId(f"e{number}"), network, host, mac, IPv4Address(f"10.20.0.{number}"), names=("c",))


def network(shared: SharedId, vni: int) -> SharedNetwork:
    return SharedNetwork(shared, Vni(vni), ME, name=shared, labels=(("a", "b"),), reserved=(ip_address("10.20.0.9"),))


CLUSTER = Cluster(
    revision=7,
    info=ClusterInfo("c1", 4790, 3, 1.5),
    members={ME: member(ME, "10.0.0.1"), OTHER: member(OTHER, "10.0.0.2")},
    networks={USED: network(USED, 1), UNUSED: network(UNUSED, 2)},
    leases={
        it.key: it for it in (Lease(USED, ip_address("10.20.0.2"), ME), Lease(USED, ip_address("10.20.0.3"), OTHER))
    },
    endpoints={it.id: it for it in (remote(2, OTHER, USED), remote(3, OTHER, UNUSED), remote(4, ME, UNUSED))},
    beats={OTHER: Beat(OTHER, 5)},
)


@pytest.fixture
def file(tmp_path: Path) -> LastSeen[Cluster]:
    return LastSeen(SHARED, tmp_path / "seen.json")


def test_it_comes_back_as_it_was_without_what_this_host_does_not_need(file: LastSeen[Cluster], tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_bytes(file.encode(needed(CLUSTER, HERE, ME)))

    seen = file.load()

    assert seen is not None
    assert (seen.info, dict(seen.members), dict(seen.networks)) == (CLUSTER.info, CLUSTER.members, CLUSTER.networks)
    assert [it.address for it in seen.leases.values()] == [ip_address("10.20.0.2")]
    assert dict(seen.endpoints) == {it: CLUSTER.endpoints[EndpointId(it)] for it in ("e2", "e4")}
    assert not seen.beats


def test_without_a_file_nothing_is_remembered(file: LastSeen[Cluster]) -> None:
    assert file.load() is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": "99.0.0", "rows": {}}', b'{"rows": 3}', b"\xff"])
def test_a_file_that_makes_no_sense_or_is_of_a_newer_version_is_not_believed(
    file: LastSeen[Cluster], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "seen.json").write_bytes(content)

    assert file.load() is None


def test_one_value_that_cannot_be_read_does_not_take_the_others_along(file: LastSeen[Cluster], tmp_path: Path) -> None:
    whole = file.encode(needed(CLUSTER, HERE, ME))
    (tmp_path / "seen.json").write_bytes(whole.replace(b'"10.0.0.2"', b'"nowhere"'))

    seen = file.load()

    assert seen is not None
    assert set(seen.members) == {ME}
    assert set(seen.networks) == {USED, UNUSED}


def test_what_an_older_version_wrote_is_read_with_what_it_did_not_know_left_open(
    file: LastSeen[Cluster], tmp_path: Path
) -> None:
    whole = json.loads(file.encode(needed(CLUSTER, HERE, ME)))
    whole["schema"] = "0.9.0"
    for row in whole["rows"]["Member"]:
        del row["version"]
    (tmp_path / "seen.json").write_text(json.dumps(whole))

    seen = file.load()

    assert seen is not None
    assert {it.version for it in seen.members.values()} == {""}
    assert seen.members.keys() == CLUSTER.members.keys()


async def test_it_is_written_when_something_changed_that_is_kept_and_not_at_a_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    memory = Memory(path, ME, lambda: HERE)
    memory.note(CLUSTER)
    await memory.write()
    path.unlink()
    memory.note(replace(CLUSTER, beats={OTHER: Beat(OTHER, 6)}))
    await memory.write()
    assert not path.exists()
    memory.note(replace(CLUSTER, info=replace(CLUSTER.info, generation=9)))
    await memory.write()
    assert memory.recall() is not None


async def test_a_full_disk_is_told_and_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").write_text("in the way of a folder")
    memory = Memory(tmp_path / "folder" / "seen.json", ME, lambda: HERE)
    memory.note(CLUSTER)
    await memory.write()
    assert "cannot be written down" in capsys.readouterr().out
    (tmp_path / "folder").unlink()
    await memory.write()
    assert memory.recall() is not None
