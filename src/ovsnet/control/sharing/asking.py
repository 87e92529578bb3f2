"""An address that another host has: whether it lets go of it, and what is said when it does not."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ovsnet.control.sharing.leases import Leases, no_member
from ovsnet.ipam.leasing import Family
from ovsnet.model.cluster import Cluster, Lease, SharedNetwork
from ovsnet.model.errors import Conflict, OvsnetError
from ovsnet.model.ids import HostName, IpAddress, SharedId
from ovsnet.store.interface import Change, Put

SEEN = 1.0
"""Seconds until a change of another host is known here: milliseconds, as long as the database answers both."""


class Peers(Protocol):
    """Other members' agents. Every call raises an OvsnetError when there is no answer in time, or a refusal."""

    async def yield_addresses(
        self, member: HostName, network: SharedId, count: int, family: int
    ) -> tuple[IpAddress, ...]:
        """Have it give back up to `count` addresses of the IP version `family` that it does not use; which it did."""

    async def yield_address(self, member: HostName, network: SharedId, address: IpAddress) -> bool:
        """Have it give back this one; False when it is in use there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whether somebody gave something back, and who did not answer."""

    got: bool
    silent: tuple[HostName, ...] = ()


class Asking:
    """Asks on behalf of this host. `patience`: seconds one other host has for its answer; `dead` are not asked for any
    address, as others may be had for the asking.
    """

    def __init__(self, leases: Leases, peers: Peers, patience: float, dead: Callable[[], Collection[HostName]]) -> None:
        self._leases = leases
        self._peers = peers
        self._patience = patience
        self._dead = dead
        self._running: dict[Family, asyncio.Future[Asked]] = {}

    async def secure(self, network: SharedNetwork, address: IpAddress) -> None:
        """Returns once the address is leased to this host; Conflict, naming who has it, when it cannot be.

        One address is claimed in one try: who loses a race looks again and says who won. Bounded by who calls.
        """
        key = (network.id, address)
        while self._leases.owner(key) != self._leases.me or key in self._leases.leaving:
            owner = await self._leases.commit(partial(self._claim, Lease(network.id, address, self._leases.me)))
            if owner != self._leases.me:
                await self._ask_for(owner, network, address)
            elif key in self._leases.leaving:
                # Given back a moment ago by ourselves: then it is claimed anew.
                await self._leases.until(lambda: key not in self._leases.leaving)

    async def some(self, family: Family, count: Callable[[], int]) -> Asked:
        """Ask those who hold addresses they do not use, one after the other, until one gives some back.

        Requests that come while others are asked share what they are told.
        """
        running = self._running.get(family)
        if running is not None:
            return await asyncio.shield(running)
        answer: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
        self._running[family] = answer
        asked = Asked(got=False)
        try:
            asked = await self._ask_all(family, count)
        finally:
            del self._running[family]
            answer.set_result(asked)
        return asked

    def _claim(self, lease: Lease, cluster: Cluster) -> tuple[list[Change], HostName]:
        if lease.host not in cluster.members:
            raise no_member(lease.host)
        known = cluster.leases.get(lease.key)
        return ([Put(lease)], lease.host) if known is None else ([], known.host)

    async def _ask_for(self, owner: HostName, network: SharedNetwork, address: IpAddress) -> None:
        try:
            async with asyncio.timeout(self._patience):
                gave = await self._peers.yield_address(owner, network.id, address)
        except (OvsnetError, TimeoutError) as error:
            raise Conflict(self._silent(owner, network, address, error)) from error
        if gave:
            await self._seen((network.id, address.version), owner, (address,))
            return
        raise Conflict(
            f"address {address} of network {network.title} is held by {self._holder(network, address)} on host {owner}"
            f"; choose another --ip or {self._remedy(network, address)}"
        )

    async def _ask_all(self, family: Family, count: Callable[[], int]) -> Asked:
        network, version = family
        idle, dead = self._leases.idle(family), self._dead()
        silent = [it for it in idle if it in dead]
        for owner in sorted(idle.keys() - dead, key=lambda it: (-idle[it], it)):
            try:
                async with asyncio.timeout(self._patience):
                    given = await self._peers.yield_addresses(owner, network, max(1, count()), version)
            except (OvsnetError, TimeoutError):
                silent.append(owner)
                continue
            if given and await self._seen(family, owner, given):
                return Asked(got=True)
        return Asked(got=False, silent=tuple(sorted(silent)))

    async def _seen(self, family: Family, owner: HostName, given: tuple[IpAddress, ...]) -> bool:
        """Wait until we know, too, that one of them is the owner's no more; False when it has them again."""

        def known() -> bool:
            owners = self._leases.owners(family)
            return any(owners.get(it) != owner for it in given)

        with suppress(TimeoutError):
            async with asyncio.timeout(SEEN):
                await self._leases.until(known)
        return known()

    # ------------------------------------------------------------ what is said

    def _name(self, network: SharedNetwork, address: IpAddress) -> str:
        """The container that was published with this address, "" when none was."""
        for it in self._leases.snapshot().endpoints_of(network.id):
            if address in (it.ipv4, it.ipv6):
                return it.names[0] if it.names else it.id[:12]
        return ""

    def _holder(self, network: SharedNetwork, address: IpAddress) -> str:
        name = self._name(network, address)
        return f"container {name}" if name else "a container that is just starting or stopping"

    def _remedy(self, network: SharedNetwork, address: IpAddress) -> str:
        return "disconnect it there first" if self._name(network, address) else "try again"

    def _silent(self, owner: HostName, network: SharedNetwork, address: IpAddress, error: Exception) -> str:
        name = self._name(network, address)
        by = f" (container {name})" if name else ""
        reason = str(error) or f"no answer within {self._patience:g} seconds"
        return (
            f"address {address} of network {network.title} belongs to host {owner}{by}, which cannot be asked for it: "
            f"{reason}; choose another --ip, or, if that host is gone for good, run 'ovsnet cluster forget {owner}'"
        )
