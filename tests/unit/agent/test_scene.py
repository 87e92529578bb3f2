"""What counts as a change beside signs of life."""

from dataclasses import replace

from ovsnet.agent.scene import Scene
from ovsnet.model.cluster import Beat, Cluster, ClusterInfo
from ovsnet.model.ids import HostName

CLUSTER = Cluster(1, ClusterInfo("c1"))


def test_the_first_look_is_at_something_new() -> None:
    assert Scene().is_another(CLUSTER)


def test_a_sign_of_life_changes_nothing() -> None:
    scene = Scene()
    scene.is_another(CLUSTER, True)
    assert not scene.is_another(replace(CLUSTER, revision=2, beats={HostName("b"): Beat(HostName("b"), 5)}), True)


def test_members_networks_and_facts_do() -> None:
    scene = Scene()
    scene.is_another(CLUSTER, True)
    assert scene.is_another(replace(CLUSTER, members={}), True)
    assert scene.is_another(CLUSTER, True)
    assert scene.is_another(CLUSTER, False)
    assert not scene.is_another(CLUSTER, False)
