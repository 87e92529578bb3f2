"""Which members vote."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.control.membership.voters import choose, how_many, next_step
from ovsnet.model.cluster import Member, Role
from ovsnet.model.ids import HostName


def member(number: int, role: Role = Role.CLIENT) -> Member:
    address = ip_address(f"10.0.0.{number}")
    return Member(HostName(f"h{number}"), address, address, role=role, joined_at=float(number))


def members(*roles: Role) -> Mapping[HostName, Member]:
    them = [member(number, role) for number, role in enumerate(roles, 1)]
    return {it.name: it for it in them}


V, C = Role.VOTER, Role.CLIENT


@pytest.mark.parametrize(("hosts", "votes"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (6, 5), (100, 5)])
def test_an_odd_number_of_hosts_votes(hosts: int, votes: int) -> None:
    assert how_many(hosts) == votes


@pytest.mark.parametrize(
    ("roles", "step"),
    [
        ((V,), None),
        ((V, C), None),
        ((V, C, C), ("h2", V)),
        ((V, V, C), ("h3", V)),
        ((V, V, V), None),
        ((V, V, V, C), None),
        ((V, V, V, C, C), ("h4", V)),
        ((V, V), ("h2", C)),
    ],
)
def test_roles_change_one_at_a_time(roles: tuple[Role, ...], step: object) -> None:
    assert next_step(members(*roles), (), HostName("h1")) == step


def test_a_dead_voter_is_replaced_first_and_dismissed_then() -> None:
    them = members(V, V, V, C)
    dead = {HostName("h2")}

    assert next_step(them, dead, HostName("h1")) == ("h4", V)
    them = {**them, HostName("h4"): replace(them[HostName("h4")], role=V)}
    assert next_step(them, dead, HostName("h1")) == ("h2", C)


def test_a_dead_voter_keeps_its_vote_when_nobody_can_take_it() -> None:
    assert next_step(members(V, V, V), {HostName("h2")}, HostName("h1")) is None


def test_nobody_gets_a_vote_while_dead_and_the_number_stays_odd() -> None:
    assert next_step(members(V, C, C), {HostName("h2"), HostName("h3")}, HostName("h1")) is None
    assert next_step(members(V, C, C), {HostName("h3")}, HostName("h1")) is None
    assert next_step(members(V, C, C, C), {HostName("h2")}, HostName("h1")) == ("h3", V)


def test_nobody_living_loses_its_vote_because_another_is_silent_for_a_moment() -> None:
    """A client that becomes a voter is: its server starts anew."""
    silent = {HostName("h2")}

    assert next_step(members(V, C, V), silent, HostName("h1"), gone=()) is None
    assert next_step(members(V, C, V), silent, HostName("h1"), gone=silent) == ("h3", C)


@given(
    st.lists(st.sampled_from([V, C]), min_size=1, max_size=9),
    st.sets(st.integers(2, 9)),
)
def test_it_comes_to_rest_with_the_right_number_and_never_below_what_there_was(
    roles: list[Role], dead_numbers: set[int]
) -> None:
    them = dict(members(V, *roles[1:]))
    dead = {HostName(f"h{it}") for it in dead_numbers}
    me = HostName("h1")
    eligible = sum(it.role is V or it.name not in dead for it in them.values())
    begun = min(how_many(eligible), sum(it.role is V for it in them.values()))
    for _ in range(2 * len(them)):
        step = next_step(them, dead, me)
        if step is None:
            break
        name, role = step
        them[name] = replace(them[name], role=role)
        assert sum(it.role is V for it in them.values()) >= begun
    voters = {it.name for it in them.values() if it.role is V}
    assert voters == choose(them, dead, me)
    assert len(voters) == how_many(eligible)
    assert me in voters
