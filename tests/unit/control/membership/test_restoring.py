"""How the cluster's database becomes what a backup says, and when that is refused."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.control.membership.restoring import check, described, restoration
from ovsnet.model.cluster import (
    Beat,
    Cluster,
    ClusterInfo,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    Role,
    SharedNetwork,
    Token,
)
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.store.changes import assembled
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED

A, B, C = (HostName(it) for it in "abc")
WEB, DB = (
    SharedNetwork(SharedId(name), Vni(number), A, ipv4=IPv4Network(f"10.{number}.0.0/24"), name=name)
    for number, name in ((1, "web"), (2, "db"))
)
INFO = ClusterInfo("c1", generation=7)


def member(name: HostName, role: Role = Role.CLIENT) -> Member:
    address = IPv4Address(f"192.0.2.{ord(name)}")
    return Member(name, address, address, role=role, joined_at=float(ord(name)))


def lease(network: SharedNetwork, number: int, host: HostName) -> Lease:
    return Lease(network.id, network_address(network, number), host)


def network_address(network: SharedNetwork, number: int) -> IPv4Address:
    assert network.ipv4 is not None
    return network.ipv4[number]


def endpoint(network: SharedNetwork, number: int, host: HostName) -> RemoteEndpoint:
    name = EndpointId(f"{network.id}{number}{host}")
    return RemoteEndpoint(name, network.id, host, Mac("0a:00:00:00:00:01"), network_address(network, number))


def state(*values: Any) -> Cluster:
    return assembled(SHARED, values)


def after(now: Cluster, backup: Cluster, voting: Iterable[str] = ()) -> Cluster:
    """What the database holds then; it keeps its rules while it becomes so."""
    store = MemoryStore(SHARED, now)
    return asyncio.run(store.commit(now, restoration(now, backup, list(voting)).changes))


BASIS = (INFO, member(A, Role.VOTER), member(B))


def test_networks_and_records_are_as_they_were() -> None:
    old, new = Record("db", IPv4Address("192.0.2.9"), A), Record("db", IPv4Address("192.0.2.8"), A)

    then = after(state(*BASIS, DB, new), state(*BASIS, WEB, old))

    assert dict(then.networks) == {WEB.id: WEB}
    assert set(then.records) == {old.key}
    assert then.info.generation > 7


def test_what_members_are_today_stays() -> None:
    moved = replace(member(B, Role.VOTER), version="2", joined_at=99.0)
    now = state(INFO, BASIS[1], moved, Beat(B, 5), Token("t", A, 9.0))
    backup = state(*BASIS, Beat(B, 2), Token("of old", B, 9.0))

    then = after(now, backup)

    assert (then.members, then.beats, then.tokens) == (now.members, now.beats, now.tokens)


def test_no_running_container_loses_its_address_and_none_is_given_twice() -> None:
    mine, theirs, gone = lease(WEB, 5, A), lease(WEB, 5, B), lease(WEB, 6, B)
    now = state(*BASIS, WEB, mine, endpoint(WEB, 5, A), lease(WEB, 7, B))

    then = after(now, state(*BASIS, WEB, theirs, gone, endpoint(WEB, 6, B)))

    assert {(it.address, it.host) for it in then.leases.values()} == {
        (mine.address, A), (gone.address, B), (lease(WEB, 7, B).address, B)
    }  # fmt: skip
    assert then.endpoints == now.endpoints


def test_a_host_that_was_forgotten_is_a_member_again_unless_its_place_is_taken() -> None:
    heir = replace(member(C), address=member(B).address, vtep=member(B).vtep)
    backup = state(*BASIS, WEB, lease(WEB, 5, B))

    again = after(state(INFO, BASIS[1]), backup)
    taken = restoration(state(INFO, BASIS[1], heir), backup, [])

    assert again.members[B] == member(B)
    assert again.leases
    assert taken.returning == ()


def test_an_empty_database_becomes_what_it_was_and_who_holds_a_copy_votes() -> None:
    backup = state(*BASIS, WEB, lease(WEB, 5, A), Record("db", IPv4Address("192.0.2.9"), B))

    then = after(Cluster(), backup, voting=[str(member(A).address)])

    assert dict(then.members) == {A: member(A, Role.VOTER), B: member(B)}
    assert (then.networks, then.leases, then.records) == (backup.networks, backup.leases, backup.records)


def test_a_host_the_backup_does_not_know_is_named_and_taken_out_by_force_only() -> None:
    strange = (member(C), lease(WEB, 5, C), endpoint(WEB, 5, C), Beat(C, 1), Token("t", C, 1.0))
    now = state(*BASIS, WEB, *strange, Record("db", IPv4Address("192.0.2.9"), C))
    backup = state(*BASIS, WEB, lease(WEB, 5, B))
    plan = restoration(now, backup, [])

    with pytest.raises(Conflict, match=r"before these hosts joined: c\..*have to join again.*--force"):
        check(plan, backup, "c1", A, force=False)
    check(plan, backup, "c1", A, force=True)

    then = after(now, backup)
    assert set(then.members) == {A, B}
    assert [it.host for it in then.leases.values()] == [B]
    assert [list(it) for it in (then.endpoints, then.beats, then.tokens, then.records)] == [[]] * 4
    assert "on each run 'ovsnet cluster leave --force', then join again: c." in described(plan)


def test_a_network_with_containers_goes_by_force_only() -> None:
    now = state(*BASIS, WEB, DB, endpoint(DB, 5, B))
    backup = state(*BASIS, WEB)

    with pytest.raises(Conflict, match=r"have containers: db \(on b\)"):
        check(restoration(now, backup, []), backup, "c1", A, force=False)
    assert not after(now, backup).endpoints

    check(restoration(state(*BASIS, WEB, DB), backup, []), backup, "c1", A, force=False)


@pytest.mark.parametrize(
    ("backup", "why"),
    [
        (state(ClusterInfo("c2"), *BASIS[1:]), "of another cluster"),
        (state(), "of another cluster"),
        (state(INFO, member(B)), r"does not know this host \(a\).*it knows: b"),
    ],
)
def test_some_backups_cannot_be_restored_whatever_the_force(backup: Cluster, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        check(restoration(state(*BASIS), backup, []), backup, "c1", A, force=True)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    members = draw(st.sets(st.sampled_from([B, C]))) | {A}
    networks = draw(st.sets(st.sampled_from([WEB, DB])))
    values: list[Any] = [INFO, *map(member, members), *networks]
    for network in networks:
        for number in draw(st.sets(st.integers(2, 5))):
            host = draw(st.sampled_from(sorted(members)))
            values.append(lease(network, number, host))
            if draw(st.booleans()):
                values.append(endpoint(network, number, host))
    values += [Beat(it, 1) for it in members if draw(st.booleans())]
    values += [Record("x", IPv4Address("192.0.2.9"), it) for it in members if draw(st.booleans())]
    return state(*values)


@given(clusters(), clusters())
def test_whatever_is_restored_the_database_takes_it_in_one_go(now: Cluster, backup: Cluster) -> None:
    then = after(now, backup)

    assert then.networks.keys() == backup.networks.keys()
    assert then.members.keys() == backup.members.keys()
    running = [it for it in then.endpoints.values() if it.ipv4 is not None]
    assert all(then.leases[it.network, it.ipv4].host == it.host for it in running if it.ipv4)
    assert restoration(then, backup, []).changes[1:] == ()
