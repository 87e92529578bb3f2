"""Who listens to which multicast groups, and until when that is believed (RFC 3376 8, RFC 3810 9). Pure.

Each endpoint is one kernel behind one port, so every listener is known, and one that leaves need not be asked whether
another one is left (RFC 4541 2.1.1 (1)). A leave counts after `LINGER`: who leaves and joins again is not cut off.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from ovsnet.model.ids import EndpointId, IpAddress
from ovsnet.model.listening import EVERYTHING, MUTED, Listening, is_confined, to_groups
from ovsnet.pipeline.membership import ROBUSTNESS, Said

LINGER: Final = 2.0
"""Seconds a group is still delivered after it was left: what a router allows for others to object (RFC 3376 8.8)."""
SLOWEST_ANSWER: Final = 10.0
"""Seconds an answer to a query may take (RFC 3376 8.3)."""
MAX_GROUPS: Final = 64
"""Groups of one endpoint that are counted; Linux allows a socket 20 of IPv4. Who has more gets everything."""
MOST_MESSAGES: Final = 300
"""Of one endpoint within a second. A kernel that listens to MAX_GROUPS sends 128 at once; what is more than the switch
keeps for the agent is lost, whoever sent it.
"""
_NEVER: Final = float("-inf")


@dataclass(slots=True)
class _Member:
    """One endpoint: until when it listens to each group, gets everything, is muted; `messages` since a second began."""

    groups: dict[IpAddress, float] = field(default_factory=dict)
    everything: float = _NEVER
    muted: float = _NEVER
    second: float = _NEVER
    messages: int = 0


class Memberships:
    """Of one host. `life`: seconds that what was said is believed; `now` is always that of one and the same clock."""

    def __init__(self, period: float) -> None:
        """`period`: seconds between two queries, of which ROBUSTNESS may go unanswered but for one."""
        self.life = ROBUSTNESS * period + SLOWEST_ANSWER
        self._members: dict[EndpointId, _Member] = {}

    def recall(self, endpoint: EndpointId, before: Listening, now: float) -> None:
        """What was known of an endpoint when we were not there yet; once it is known here, that counts."""
        if endpoint in self._members:
            return
        end = now + self.life
        member = self._members[endpoint] = _Member(dict.fromkeys(before.groups, end))
        if before.everything:
            member.everything = end
        if before.muted:
            self._mute(member, end)

    def take(self, endpoint: EndpointId, said: Said, now: float) -> None:
        """An endpoint that is recalled has said something."""
        member, end = self._members[endpoint], now + self.life
        if _too_much(member, now):
            self._mute(member, end)
        if said.asks:
            member.everything = end
        for group, listens in said.groups:
            if not is_confined(group):
                continue
            if not listens:
                if group in member.groups:
                    member.groups[group] = min(member.groups[group], now + LINGER)
            elif group in member.groups or len(member.groups) < MAX_GROUPS:
                member.groups[group] = end
            else:
                member.everything = end

    def _mute(self, member: _Member, end: float) -> None:
        """Afterwards it was not heard for long, and has to be asked first: it goes on getting everything."""
        member.muted, member.everything = end, end + self.life

    def expire(self, now: float) -> None:
        """Believe nothing any more whose time has come."""
        for member in self._members.values():
            for group in [it for it, end in member.groups.items() if end <= now]:
                del member.groups[group]

    def listening(self, endpoint: EndpointId, now: float) -> Listening:
        """What is believed of an endpoint that is recalled."""
        member = self._members[endpoint]
        if member.muted > now:
            return MUTED
        return EVERYTHING if member.everything > now else to_groups(member.groups)

    def renew(self, since: float, now: float) -> None:
        """What was believed at `since`, when nobody was heard any more, is believed for a whole life from now on."""
        end = now + self.life
        for member in self._members.values():
            member.groups = {group: max(it, end) for group, it in member.groups.items()}
            if member.everything > since:
                member.everything = max(member.everything, end)

    def keep(self, endpoints: Collection[EndpointId]) -> None:
        """Forget all others."""
        for endpoint in self._members.keys() - set(endpoints):
            del self._members[endpoint]

    def next_end(self, now: float) -> float | None:
        """When time alone changes something the next time; None for never."""
        return min((it for it in self._ends() if it > now), default=None)

    def _ends(self) -> Iterator[float]:
        for member in self._members.values():
            yield member.everything
            yield member.muted
            yield from member.groups.values()


def _too_much(member: _Member, now: float) -> bool:
    if now - member.second >= 1.0:
        member.second, member.messages = now, 0
    member.messages += 1
    return member.messages > MOST_MESSAGES
