"""Which ways to other hosts are watched, and how often."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from ovsnet.model.host import HostFacts, PortPlan
from ovsnet.model.network import PortKind
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.host import plan_host
from ovsnet.plan.paths import A_SECOND, interval_for
from tests.states import endpoint, state
from tests.unit.pipeline.scenarios import SHARED_DB, SHARED_LONELY, SHARED_WEB, B, C, overlay, remote, vtep

HERE = state(SHARED_DB, endpoint(3, SHARED_DB))


def paths(there: Overlay, wanted: State = HERE) -> dict[str, PortPlan]:
    ports = plan_host(wanted, HostFacts(overlay=there), bridge="br-test", instance="test").ports
    return {it.options["remote_ip"]: it for it in ports.values() if it.bfd}


def ends(*them: object) -> set[str]:
    return set(map(str, them))


def test_the_way_to_each_host_with_something_on_a_network_of_ours_is_watched_once() -> None:
    both = state(SHARED_DB, SHARED_WEB, endpoint(3, SHARED_DB), endpoint(1, SHARED_WEB))
    there = overlay(remote(5, B), remote(6, B), remote(2, B, SHARED_WEB), remote(7, C))
    assert paths(there, both).keys() == ends(vtep(B), vtep(C))


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (overlay(), HERE),
        (overlay(remote(5, B), peers=(C,)), HERE),
        (overlay(remote(5, B)), state(SHARED_DB)),
        (overlay(remote(5, B), kind=TunnelKind.KERNEL), HERE),
        (overlay(remote(2, B, SHARED_LONELY)), state(SHARED_LONELY, endpoint(1, SHARED_LONELY))),
    ],
    ids=["it has nothing there", "it is dead", "nothing is here", "kernel devices", "a network that reaches nobody"],
)
def test_no_other_way_is_watched(there: Overlay, wanted: State) -> None:
    assert paths(there, wanted) == {}


def test_such_a_port_is_like_the_one_that_carries_the_networks_with_one_far_end_and_a_number_no_network_has() -> None:
    there = replace(overlay(remote(5, B), family=6), udp_port=8472)
    plan = plan_host(HERE, HostFacts(overlay=there), bridge="br-test", instance="test")
    (path,) = paths(there).values()
    carrier = plan.ports["ovxlan0"]
    assert path.kind is PortKind.VXLAN
    assert path.options == {**carrier.options, "remote_ip": str(vtep(B, 6)), "key": "16777215"}
    assert (path.external_ids, carrier.bfd) == (carrier.external_ids, {})


@pytest.mark.parametrize("family", [4, 6])
def test_its_name_fits_and_is_no_endpoints(family: int) -> None:
    for path in paths(overlay(remote(5, B), remote(7, C), family=family)).values():
        assert len(path.name) <= 15
        assert names.is_tunnel(path.name)


def test_the_more_ways_the_rarer_each_is_looked_at() -> None:
    assert [interval_for(it) for it in (0, 1, 100, 101, 200, 201, 999)] == [1000, 1000, 1000, 2000, 2000, 4000, 16000]
    assert all(ways * 1000 / interval_for(ways) <= A_SECOND for ways in _numbers())


def _numbers() -> Iterable[int]:
    return range(0, 3000, 7)
