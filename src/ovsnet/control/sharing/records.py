"""Names added by hand: for what is no container, or for a second name of one. They belong to all members."""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from ovsnet.control.commit import Committer
from ovsnet.model.cluster import Cluster, Record, SharedNetwork
from ovsnet.model.errors import BadRequest, NotFound
from ovsnet.model.ids import NOT_SHARED, HostName, SharedId
from ovsnet.store.interface import Change, Drop, Put

_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
"""RFC 1035 2.3.4 for the lengths; underscores are common in names of services."""


class Records:
    """Adds and removes them."""

    def __init__(self, committer: Committer[Cluster], me: HostName) -> None:
        self._committer = committer
        self._me = me

    async def add(self, name: str, address: str, network: str) -> Record:
        """Let the name stand for the address, on one network or ("") on all; again, it changes nothing."""
        wanted = _record(name, address, self._me)
        return await self._committer.commit(lambda state: _adding(state, wanted, network))

    async def drop(self, name: str, address: str, network: str) -> bool:
        """Let it stand for it no more; False when it did not."""
        wanted = _record(name, address, self._me)
        return await self._committer.commit(lambda state: _dropping(state, wanted, network))


def network_named(state: Cluster, name: str) -> SharedNetwork:
    """The network of the cluster with this name, this id, or an id that begins so; NotFound names the others."""
    found = [it for it in state.networks.values() if name in (it.name, it.id)]
    found = found or [it for it in state.networks.values() if name and it.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(sorted(it.title for it in state.networks.values())) or "none"
        raise NotFound(f"network {name!r} is not one of the cluster; known are: {known}")
    return found[0]


def _record(name: str, address: str, me: HostName) -> Record:
    text = name.lower().rstrip(".")
    if not _NAME.fullmatch(text):
        raise BadRequest(f"{name!r} cannot be a name; use letters, digits, '-' and '_', in parts separated by dots")
    try:
        return Record(text, ip_address(address), me)
    except ValueError:
        raise BadRequest(f"{address!r} is not an IP address; a name stands for one") from None


def _placed(state: Cluster, record: Record, network: str) -> Record:
    where: SharedId = network_named(state, network).id if network else NOT_SHARED
    return Record(record.name, record.address, record.host, where)


def _adding(state: Cluster, record: Record, network: str) -> tuple[Sequence[Change], Record]:
    wanted = _placed(state, record, network)
    known = state.records.get(wanted.key)
    return ((Put(wanted),), wanted) if known is None else ((), known)


def _dropping(state: Cluster, record: Record, network: str) -> tuple[Sequence[Change], bool]:
    known = state.records.get(_placed(state, record, network).key)
    return ((Drop(known),), True) if known is not None else ((), False)
