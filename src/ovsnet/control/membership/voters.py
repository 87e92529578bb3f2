"""Which members keep a copy of the cluster's database and vote. Pure.

One of one or two, three of three or four, five of more: an even number of votes survives no more failures than the odd
number below it, and every vote makes each change slower.
"""

from collections.abc import Collection, Mapping, Sequence

from ovsnet.model.cluster import Member, Role
from ovsnet.model.ids import HostName

MAX_VOTERS = 5


def how_many(members: int) -> int:
    """Votes for a cluster of this many hosts."""
    return next(votes for votes in (5, 3, 1, 0) if members >= votes)


def choose(members: Mapping[HostName, Member], dead: Collection[HostName], me: HostName) -> frozenset[HostName]:
    """The voters there should be: living ones that vote already, then the longest members; always ourselves.

    A dead voter keeps its vote until somebody living can take it: a cluster does not become smaller by a failure.
    Nobody gets one while dead.
    `me` is the one that decides, the leader.
    """
    eligible = _eligible(members, dead, me)
    return frozenset(it.name for it in eligible[: how_many(len(eligible))])


def next_step(
    members: Mapping[HostName, Member],
    dead: Collection[HostName],
    me: HostName,
    gone: Collection[HostName] | None = None,
) -> tuple[HostName, Role] | None:
    """The one change of a role to make now, None when all is as it should be.

    One at a time, and a new voter before an old one goes: the votes never fall below what they were. `gone` are those
    of the dead that have been so for a while; all, where it is None. For the others alone nobody living loses its vote:
    whoever becomes a voter is silent for a moment, and would take the next one down with it.
    """
    wanted = choose(members, dead, me)
    missing = [it for it in members.values() if it.name in wanted and it.role is not Role.VOTER]
    if missing:
        return min(missing, key=lambda it: (it.joined_at, it.name)).name, Role.VOTER
    kept = how_many(len(_eligible(members, dead if gone is None else gone, me)))
    surplus = [it for it in _eligible(members, dead, me)[kept:] if it.role is Role.VOTER]
    if surplus:
        return min(surplus, key=lambda it: (it.name not in dead, it.joined_at, it.name)).name, Role.CLIENT
    return None


def _eligible(members: Mapping[HostName, Member], dead: Collection[HostName], me: HostName) -> Sequence[Member]:
    """Who may vote, in the order in which they shall."""

    def preference(it: Member) -> tuple[bool, bool, bool, float, str]:
        return (it.name != me, it.name in dead, it.role is not Role.VOTER, it.joined_at, it.name)

    return sorted((it for it in members.values() if it.role is Role.VOTER or it.name not in dead), key=preference)
