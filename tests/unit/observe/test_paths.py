"""Each host with the way to it."""

from ipaddress import ip_address

from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.ids import HostName
from ovsnet.model.paths import Path, PathState
from ovsnet.observe.cluster import ClusterFacts, members_of

A, B, C = (HostName(it) for it in "abc")


def member(name: HostName) -> Member:
    address = ip_address(f"10.99.0.{ord(name) - ord('a') + 1}")
    return Member(name, address, address)


def test_each_host_shows_its_path_and_nothing_where_nobody_looks() -> None:
    members = {it: member(it) for it in (A, B, C)}
    facts = ClusterFacts(me=A, cluster=Cluster(members=members), available=True, paths={B: Path(PathState.UP)})
    assert [it.path for it in members_of(facts)] == ["", "up", ""]
