"""When the leader's agent may give the cluster's database its own schema."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from ovsnet.control.membership.upgrade import behind, may_upgrade
from ovsnet.model.cluster import Member
from ovsnet.model.ids import HostName

ADDRESS = ip_address("192.0.2.1")


def members(*versions: str) -> Mapping[HostName, Member]:
    names = map(HostName, "abcdefg")
    return {name: Member(name, ADDRESS, ADDRESS, version=it) for name, it in zip(names, versions, strict=False)}


@pytest.mark.row(99)
@pytest.mark.parametrize(
    ("versions", "ours", "late"),
    [
        (("1.2.0", "1.2.0"), "1.2.0", ""),
        (("1.2.0", "1.3.0"), "1.2.0", ""),
        (("1.10.0", "1.9.9"), "1.9.9", ""),
        (("1.2.0", "1.1.9"), "1.2.0", "b"),
        (("1.9.0", "1.10.0"), "1.10.0", "a"),
        (("2.0.0.dev1", "1.2.0+local"), "1.2.0", ""),
        (("1.2.0", ""), "1.2.0", "b"),
        (("1.2.0", "unknown"), "1.2.0", "b"),
    ],
)
def test_every_member_must_run_our_version_or_a_newer_one(versions: tuple[str, ...], ours: str, late: str) -> None:
    assert behind(members(*versions), ours) == tuple(late)
    assert may_upgrade(members(*versions), ours) is not bool(late)


def test_of_members_that_are_not_known_nothing_is_concluded() -> None:
    assert not may_upgrade({}, "1.2.0")
