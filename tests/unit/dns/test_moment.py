"""The zone follows what happens: here at once, elsewhere after a rest."""

from dataclasses import replace
from ipaddress import ip_address

from dns.rdatatype import RdataType

from ovsnet.dns.moment import Moment
from ovsnet.dns.tables import Here
from ovsnet.model.cluster import Beat, Cluster
from ovsnet.model.ids import HostName
from ovsnet.model.state import State
from tests.states import state
from tests.unit.dns.worlds import DB_SHARED, HERE_DB, HERE_WEB, LOCAL, ON_DB, ON_WEB, A, B, cluster, remote

MANY = [remote(50 + it, f"m{it}", network=DB_SHARED) for it in range(100)]


class World:
    """What a moment is made of; the clock stands still."""

    def __init__(self) -> None:
        self.local: State = LOCAL
        self.cluster: Cluster = cluster(*MANY)
        self.dead: frozenset[HostName] = frozenset()
        self.now = 0.0
        self.moment = Moment(
            Here(A, lambda: self.local),
            lambda: self.cluster,
            lambda: self.dead,
            lambda: self.now,
            domain="ovsnet.internal",
        )

    def knows(self, name: str) -> bool:
        zone = self.moment.zone()
        return bool(zone.lookup(name, RdataType.A, zone.asker(ip_address("10.20.0.2"))).addresses)


def test_while_nothing_changes_the_zone_is_the_same() -> None:
    world = World()
    assert world.moment.zone() is world.moment.zone()


def test_what_changes_here_is_known_at_once() -> None:
    world = World()
    assert not world.knows("fresh")
    world.local = state(HERE_WEB, HERE_DB, ON_WEB, replace(ON_DB, container_name="fresh", network_id=HERE_WEB.id))
    assert world.knows("fresh")


def test_what_changes_elsewhere_is_known_after_a_rest() -> None:
    world = World()
    assert world.knows("m1")
    world.cluster = cluster(*MANY, remote(9, "late"))
    assert not world.knows("late")
    world.now = 0.001
    assert world.knows("late")


def test_during_the_rest_changes_here_are_known_all_the_same() -> None:
    world = World()
    assert world.knows("m1")
    world.cluster = cluster(*MANY, remote(9, "late"))
    world.local = state(HERE_WEB, ON_WEB, replace(ON_DB, container_name="fresh", network_id=HERE_WEB.id))
    assert world.knows("fresh")
    assert not world.knows("late")
    world.now = 0.001
    assert world.knows("late")


def test_a_host_that_dies_takes_its_names_with_it() -> None:
    world = World()
    assert world.knows("m1")
    world.dead, world.now = frozenset({B}), 1.0
    assert not world.knows("m1")


def test_the_first_question_finds_what_is_there() -> None:
    assert World().knows("m1")


def test_signs_of_life_are_no_reason_to_read_all_names_again() -> None:
    world = World()
    before = world.moment.zone()
    world.cluster = replace(world.cluster, revision=99, beats={B: Beat(B, 7)})
    assert world.moment.zone() is before
