"""Who listens to what, as people see it."""

from dataclasses import replace

import pytest

from ovsnet.cli.multicast import table_of
from ovsnet.model.cluster import Cluster, RemoteEndpoint
from ovsnet.model.listening import EVERYTHING, NOTHING, to_groups
from ovsnet.observe.groups import GroupInfo, all_groups
from tests.states import endpoint, state
from tests.unit.pipeline.scenarios import (
    ALONE,
    GROUP,
    GROUP6,
    LONELY,
    SHARED_DB,
    SHARED_FLOOD,
    SHARED_WEB,
    A,
    B,
    C,
    listening,
    remote,
)

pytestmark = pytest.mark.row(67)


def cluster(*endpoints: RemoteEndpoint) -> Cluster:
    return Cluster(endpoints={it.id: it for it in endpoints})


def info(group: str, *containers: str, hosts: tuple[str, ...] = ()) -> GroupInfo:
    return GroupInfo(network="web", group=group, containers=containers, hosts=hosts)


def test_each_group_is_shown_with_those_here_and_the_hosts_elsewhere() -> None:
    here = state(SHARED_WEB, listening(1, to_groups([GROUP])), listening(2, to_groups([GROUP6, GROUP])), endpoint(3))
    there = cluster(
        remote(5, B, SHARED_WEB, listens=to_groups([GROUP])),
        remote(6, C, SHARED_WEB, listens=to_groups([GROUP, ALONE])),
        remote(7, C, SHARED_DB, listens=to_groups([GROUP])),
        remote(1, A, SHARED_WEB, listens=to_groups([GROUP])),
    )
    assert all_groups(here, there, A) == (
        info("*", "c3"),
        info("239.1.2.3", "c1", "c2", hosts=("b", "c")),
        info("239.9.9.9", hosts=("c",)),
        info("ff05::123", "c2"),
    )
    assert all_groups(here, there, A, {C})[1] == info("239.1.2.3", "c1", "c2", hosts=("b",))


def test_a_network_without_listeners_here_or_with_every_group_for_all_is_not_shown() -> None:
    for network, one in (
        (SHARED_WEB, listening(1, NOTHING)),
        (SHARED_WEB, replace(listening(1, EVERYTHING), plugged=False)),
        (SHARED_FLOOD, listening(1, to_groups([GROUP]), SHARED_FLOOD)),
        (LONELY, listening(1, to_groups([GROUP]), LONELY)),
    ):
        assert all_groups(state(network, one)) == ()


def test_the_table_says_who() -> None:
    table = table_of((info("239.1.2.3", "c1", "c2", hosts=("b",)),))
    assert list(table.rows) == [("web", "239.1.2.3", "c1, c2", "b")]
