"""What is known of the ways to other hosts, and what people are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from ovsnet.control.membership.paths import Paths
from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.ids import HostName
from ovsnet.model.paths import Path, PathState

A, B, C = (HostName(it) for it in "abc")
VTEPS = {name: f"10.99.0.{number}" for number, name in enumerate((A, B, C), 1)}
UP, NEVER = Path(PathState.UP), Path(PathState.UNKNOWN)
LOST = Path(PathState.DOWN, "Control Detection Time Expired", 1_700_000_000.0)


@dataclass(frozen=True)
class Asked:
    """Probes that have found this."""

    found: Mapping[HostName, Path] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def paths(self) -> Mapping[HostName, Path]:
        return self.found

    def warnings(self) -> tuple[str, ...]:
        return self.said


def paths(
    watched: Mapping[str, Path], probes: Asked | None = None, dead: frozenset[HostName] = frozenset(), me: HostName = A
) -> Paths:
    members = {name: Member(name, ip_address(it), ip_address(it)) for name, it in VTEPS.items()}
    return Paths(me, lambda: Cluster(members=members), lambda: dead, lambda: watched, probes or Asked())


def test_a_way_is_known_by_the_switch_or_by_probes_and_the_switch_knows_better() -> None:
    seen = {VTEPS[B]: LOST, "10.99.0.77": UP, "flow": UP}
    assert paths(seen, Asked({B: UP, C: NEVER})).known() == {B: LOST, C: NEVER}


def test_a_tunnel_that_is_down_is_told_with_since_when_and_where_to_look() -> None:
    (warning,) = paths({VTEPS[B]: LOST, VTEPS[C]: NEVER}).warnings()
    assert warning.startswith(
        "The tunnel path to host b is down since 2023-11-14 22:13:20 UTC (Control Detection Time Expired): "
    )
    assert warning.endswith("UDP port 4789 between 10.99.0.1 and 10.99.0.2.")


def test_what_probes_have_found_they_say_themselves() -> None:
    assert paths({}, Asked({B: LOST}, ("Nothing gets there any more.",))).warnings() == (
        "Nothing gets there any more.",
    )


def test_of_a_dead_host_and_by_a_host_that_is_no_member_nothing_is_told() -> None:
    assert paths({VTEPS[B]: LOST}, dead=frozenset({B})).warnings() == ()
    assert paths({VTEPS[B]: LOST}, me=HostName("stranger")).warnings() == ()
