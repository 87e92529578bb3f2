"""What is heard on the LAN, for people."""

from ipaddress import ip_address

from ovsnet.cli.nearby import table_of
from ovsnet.cluster.sighting import Sighting
from ovsnet.model.cluster import Cluster, ClusterInfo
from ovsnet.model.ids import HostName
from ovsnet.observe.cluster import ClusterFacts
from ovsnet.observe.nearby import Around, nearby_of

HERE = ip_address("10.0.0.9")


def sighting(cluster: str, name: str) -> Sighting:
    return Sighting(cluster, "ab" * 8, HostName(name), ip_address("10.0.0.1"), 7641)


OURS, OTHER = sighting("aa", "h2"), sighting("bb", "h1")


def test_members_are_listed_by_cluster_once_each_and_ours_are_marked() -> None:
    facts = ClusterFacts(me=HostName("h9"), cluster=Cluster(info=ClusterInfo(id="aa")))
    found = nearby_of(Around([HERE], [OTHER, OURS, OTHER]), facts)
    assert [(it.cluster, it.name, it.mine) for it in found.members] == [("aa", "h2", True), ("bb", "h1", False)]
    assert (found.listened, found.verified) == (("10.0.0.9",), False)


def test_a_host_in_no_cluster_is_in_none_of_them() -> None:
    found = nearby_of(Around([HERE], [sighting("", "h1"), OURS]), ClusterFacts())
    assert not any(it.mine for it in found.members)


def test_nobody_is_said_with_where_one_listened_and_what_it_takes() -> None:
    said = table_of(nearby_of(Around([HERE], []), ClusterFacts())).empty
    assert "10.0.0.9" in said
    assert "mdns = true" in said
