"""What people are told of the ways to other hosts."""

from dataclasses import replace
from ipaddress import ip_address

from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.ids import HostName
from ovsnet.model.paths import Path, PathState
from ovsnet.observe.cluster import ClusterFacts, members_of, warnings_of

A, B, C = (HostName(it) for it in "abc")
LOST = Path(PathState.DOWN, "Control Detection Time Expired", 1_700_000_000.0)


def member(name: HostName) -> Member:
    address = ip_address(f"10.99.0.{ord(name) - ord('a') + 1}")
    return Member(name, address, address)


FACTS = ClusterFacts(
    me=A,
    cluster=Cluster(members={it: member(it) for it in (A, B, C)}),
    available=True,
    paths={B: Path(PathState.UP)},
)


def test_each_host_shows_its_path_and_nothing_where_nobody_looks() -> None:
    assert [it.path for it in members_of(FACTS)] == ["", "up", ""]


def test_a_path_that_is_down_is_told_with_since_when_and_where_to_look() -> None:
    (warning,) = warnings_of(replace(FACTS, paths={B: LOST, C: Path(PathState.UNKNOWN)}))
    assert warning.startswith(
        "The tunnel path to host b is down since 2023-11-14 22:13:20 UTC (Control Detection Time Expired): "
    )
    assert warning.endswith("UDP port 4789 between 10.99.0.1 and 10.99.0.2.")


def test_of_a_dead_host_one_thing_is_told() -> None:
    (warning,) = warnings_of(replace(FACTS, paths={B: LOST}, dead=frozenset({B})))
    assert warning.startswith("Host b gives no sign of life")
