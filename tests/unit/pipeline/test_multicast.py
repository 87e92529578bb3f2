"""A group goes to its listeners, wherever they are; what nobody is known to listen to goes to all."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress
from ovsnet.model.listening import EVERYTHING, MUTED, NOTHING, is_confined, to_groups
from ovsnet.model.network import Network
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.pipeline.flow import Flow, Resource
from ovsnet.pipeline.tables import Table
from tests.states import WEB, endpoint, state
from tests.unit.pipeline.scenarios import (
    ALONE,
    GROUP,
    GROUP6,
    LONELY,
    SHARED_FLOOD,
    SHARED_WEB,
    A,
    B,
    C,
    compiled,
    listening,
    overlay,
    remote,
    vtep,
)

pytestmark = pytest.mark.row(67)
HERE = (listening(1, to_groups([GROUP])), listening(2, NOTHING), listening(3, to_groups([GROUP6])))


def actions(of: Mapping[str, Resource], table: Table, word: str) -> set[str]:
    """What the flows of a table do with what they match by `word`."""
    found = [it for it in of.values() if isinstance(it, Flow) and it.table == table and word in it.match]
    return {action for it in found for action in it.actions.split(",")}


def to_group(group: IpAddress, there: Overlay | None, *here: Endpoint) -> set[str]:
    field = "nw_dst" if group.version == 4 else "ipv6_dst"
    return actions(compiled(state(SHARED_WEB, *here), there), Table.GROUPS, f"{field}={group}")


def test_a_group_goes_to_the_ports_that_listen_to_it() -> None:
    assert to_group(GROUP, None, *HERE) == {"output:1"}
    assert to_group(GROUP6, None, *HERE) == {"output:3"}


def test_a_group_nobody_listens_to_has_no_flow_and_so_goes_to_all() -> None:
    assert to_group(ALONE, None, *HERE) == set()
    assert to_group(ALONE, overlay(remote(5, B, SHARED_WEB, listens=NOTHING)), *HERE) == set()


def test_a_group_goes_to_hosts_with_listeners_only() -> None:
    there = overlay(
        remote(5, B, SHARED_WEB, listens=to_groups([GROUP])), remote(6, C, SHARED_WEB, listens=to_groups([ALONE]))
    )
    to_b, to_c = (f"set_field:{vtep(it)}->tun_dst" for it in (B, C))
    label = "set_field:0xa->tun_id"
    assert to_group(GROUP, there, *HERE) == {"output:1", label, to_b, "output:1000"}
    assert to_group(ALONE, there, *HERE) == {label, to_c, "output:1000"}
    assert to_group(GROUP6, there, *HERE) == {"output:3"}


def test_a_host_that_tells_nothing_gets_every_group() -> None:
    there = overlay(remote(5, B, SHARED_WEB), remote(6, C, SHARED_WEB, listens=NOTHING))
    assert f"set_field:{vtep(B)}->tun_dst" in to_group(GROUP, there, *HERE)
    assert f"set_field:{vtep(C)}->tun_dst" not in to_group(GROUP, there, *HERE)


def test_while_the_clusters_database_is_away_every_host_gets_every_group() -> None:
    there = overlay(remote(5, B, SHARED_WEB, listens=NOTHING))
    away = Overlay(there.local, there.device, there.kind, there.udp_port, there.peers, there.remotes, current=False)
    assert f"set_field:{vtep(B)}->tun_dst" not in to_group(GROUP, there, *HERE)
    assert f"set_field:{vtep(B)}->tun_dst" in to_group(GROUP, away, *HERE)


def test_a_dead_host_listens_to_nothing() -> None:
    there = overlay(remote(5, B, SHARED_WEB, listens=to_groups([ALONE])), peers=(C,))
    assert to_group(ALONE, there, *HERE) == set()


def test_a_device_of_the_kernel_copies_to_all_hosts_or_to_none() -> None:
    there = overlay(
        remote(5, B, SHARED_WEB, listens=to_groups([GROUP])),
        remote(6, C, SHARED_WEB, listens=NOTHING),
        kind=TunnelKind.KERNEL,
    )
    assert to_group(GROUP, there, *HERE) == {"output:1", "output:1010"}
    assert to_group(GROUP6, there, *HERE) == {"output:3"}


def test_who_gets_everything_gets_each_group_and_the_reports_and_nobody_else_does() -> None:
    router = listening(4, EVERYTHING)
    there = overlay(remote(5, B, SHARED_WEB), here=A)
    assert to_group(GROUP, None, *HERE, router) == {"output:1", "output:4"}
    of = compiled(state(SHARED_WEB, *HERE, router), there)
    reports = actions(of, Table.REPORTS, "nw_proto=2")
    assert {"output:4", f"set_field:{vtep(B)}->tun_dst"} <= reports
    assert not {"output:1", "output:2", "output:3"} & reports


def test_who_is_muted_gets_everything_and_is_not_heard() -> None:
    loud = listening(4, MUTED)
    of = compiled(state(SHARED_WEB, *HERE, loud))
    assert to_group(GROUP, None, *HERE, loud) == {"output:1", "output:4"}
    silenced = [
        it for it in of.values() if isinstance(it, Flow) and "in_port=4" in it.match and it.table == Table.REPORTS
    ]
    assert [it.actions for it in silenced] == ["drop"] * 5
    assert actions(compiled(state(SHARED_WEB, *HERE)), Table.REPORTS, "in_port") == set()


def test_an_address_for_all_on_the_link_is_never_confined() -> None:
    listens = to_groups([ip_address("224.0.0.251"), ip_address("ff02::fb"), ip_address("ff02::1:ff00:2")])
    of = compiled(state(WEB, replace(endpoint(1), listens=listens), replace(endpoint(2), listens=NOTHING)))
    assert actions(of, Table.GROUPS, "reg6=0xa") == set()


@pytest.mark.parametrize("network", [SHARED_FLOOD, LONELY])
def test_where_every_group_goes_to_all_or_nothing_does_nobody_is_heard(network: Network) -> None:
    of = {**compiled(state(network, listening(1, to_groups([GROUP]), network)))}
    assert actions(of, Table.GROUPS, "reg6=0xa") == actions(of, Table.REPORTS, "reg6=0xa") == set()


@pytest.mark.parametrize(
    ("group", "confined"),
    [
        ("224.0.0.1", False),
        ("224.0.0.251", False),
        ("224.0.1.1", True),
        ("239.255.255.250", True),
        ("ff01::1", False),
        ("ff02::1", False),
        ("ff02::1:ff00:1", False),
        ("ff12::1", True),
        ("ff05::1:3", True),
        ("ff3e::8000:1", True),
        ("10.0.0.1", False),
        ("fd00::1", False),
    ],
)
def test_which_groups_are_confined(group: str, confined: bool) -> None:
    assert is_confined(ip_address(group)) is confined
