"""Whose a link is, and what has to be done about one that is wanted. Pure.

The owner mark is the alias. The kernel takes no alias when it makes a link, so a pair is made in a group of
our own and gets its alias together with everything else in the last step: what is in that group is ours,
half made.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from ovsnet.linux.linkmessage import Link
from ovsnet.model.host import LinkPlan
from ovsnet.model.network import PortKind

HALF_MADE = 0x6F76_7331
"""Group of a pair that is being made."""
CONDEMNED = 0x6F76_7332
"""Group of pairs that are being deleted together."""
NO_GROUP = 0
INSIDE = "/inside"
"""Ends the alias of a container's end: it is ours, but comes and goes with the host's end."""
TUNNEL = "vxlan:"
"""Follows the mark in the alias of a tunnel (vxlan.py), which is not one of the containers' links."""
BROKEN = 0
"""Reported as the MTU of a link that does not work, so that it differs from whatever is wanted."""
_SWITCH_MADE = frozenset({"openvswitch", "tun"})
"""Kinds of an internal port's device: in the kernel datapath and in the userspace datapath."""


class Step(StrEnum):
    """What to do about a wanted pair."""

    MAKE = "make"
    MAKE_ANEW = "make anew"
    REPAIR = "repair"
    REFUSE = "refuse"


class OurLinks:
    """The links with our mark, as far as the kernel told.

    An internal port's device that was seen to leave for a container stays, until one of that name is here
    again.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._here: dict[str, Link] = {}
        self._plans: dict[str, LinkPlan] = {}
        self._all: Mapping[str, LinkPlan] | None = None
        self._inside: dict[str, LinkPlan] = {}

    def plans(self) -> Mapping[str, LinkPlan]:
        """What there is, by name, in the terms of a plan; the same object until something changes."""
        if self._all is None:
            self._all = MappingProxyType(self._inside | self._plans)
        return self._all

    def here(self, name: str) -> Link | None:
        """Our link of that name in this namespace."""
        return self._here.get(name)

    def is_inside(self, name: str) -> bool:
        """True when the link of that name is in its container."""
        return name in self._inside

    def note_inside(self, plan: LinkPlan) -> None:
        """The link was found or put where it belongs, in its container."""
        self._inside[plan.name] = plan
        self._all = None

    def forget(self, name: str) -> None:
        """The link is not ours any more, wherever it is."""
        self._inside.pop(name, None)
        self._all = None

    def take(self, before: Link | None, after: Link | None, *, moved: bool) -> bool:
        """Take in one change of one link; True when it concerns us."""
        self._all = None
        lost = before is not None and self._lose(before, moved=moved)
        gained = after is not None and self._gain(after)
        return lost or gained

    def _lose(self, link: Link, *, moved: bool) -> bool:
        if self._here.pop(link.name, None) is None:
            return False
        del self._plans[link.name]
        if moved and not _is_pair(link):
            self._inside[link.name] = _as_plan(link)
        return True

    def _gain(self, link: Link) -> bool:
        returned = self._inside.pop(link.name, None) is not None
        if is_ours(link, self._mark):
            self._here[link.name] = link
            self._plans[link.name] = _as_plan(link)
            return True
        return returned


def is_ours(link: Link, mark: str) -> bool:
    """True for host ends and internal ports that carry our mark, and for pairs that we did not finish."""
    other = link.alias.startswith(mark + TUNNEL) or link.alias.endswith(INSIDE)
    marked = link.alias.startswith(mark) and not other
    return marked or (link.group == HALF_MADE and not link.alias and _is_pair(link))


def step_for_pair(link: Link | None, plan: LinkPlan, mark: str) -> Step:
    """What to do about a wanted pair; `link` is what has its name now."""
    if link is None:
        return Step.MAKE
    if not is_ours(link, mark):
        return Step.REFUSE
    return Step.REPAIR if _is_pair(link) and link.alias == plan.alias else Step.MAKE_ANEW


def may_adopt(link: Link, mark: str) -> bool:
    """True for a device that the switch made for one of its ports and that nobody else has marked."""
    return link.kind in _SWITCH_MADE and (not link.alias or is_ours(link, mark))


def _as_plan(link: Link) -> LinkPlan:
    kind = PortKind.VETH if _is_pair(link) else PortKind.INTERNAL
    works = link.up or kind is PortKind.INTERNAL  # an internal port is down until the engine has it inside
    # A device on its way inside is to go on, and what is condemned would go with the next ones.
    settled = link.group not in (HALF_MADE, CONDEMNED)
    return LinkPlan(link.name, kind, link.alias, link.mtu if works and settled else BROKEN)


def _is_pair(link: Link) -> bool:
    return link.kind == "veth"
