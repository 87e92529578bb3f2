"""When the cluster's database may get our schema: hosts of two versions share it during an upgrade. Pure.

A member that runs an older version knows neither the new columns nor what they mean, so it decides. Nothing is ever
made older.
"""

import re
from collections.abc import Mapping

from ovsnet.model.cluster import Member
from ovsnet.model.ids import HostName


def may_upgrade(members: Mapping[HostName, Member], ours: str) -> bool:
    """Whether every member runs our version of ovsnet or a newer one."""
    return bool(members) and not behind(members, ours)


def behind(members: Mapping[HostName, Member], ours: str) -> tuple[HostName, ...]:
    """The members that run an older version than ours, dead ones too: they come back as what they were."""
    return tuple(sorted(it.name for it in members.values() if _numbers(it.version) < _numbers(ours)))


def _numbers(version: str) -> tuple[int, ...]:
    """Those in front, to be compared: an unknown version ("") is older than all."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(it) for it in found.group().split(".")) if found else ()
