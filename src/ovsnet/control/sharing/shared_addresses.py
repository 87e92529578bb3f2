"""An address of a network of the cluster, from the request to the lease.

    any    a free one of ours ──► claimed by a round ──► one that rests ──► given back by another host ──► full
    --ip   ours ──► claimed ──► asked of the host that has it ──► refused, naming who has it

Only the first step of either is needed in most cases, and it waits for nobody.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Protocol, TypeVar

from ovsnet.control.sharing.asking import Asking, Peers
from ovsnet.control.sharing.leases import Leases
from ovsnet.control.sharing.parts import Parts
from ovsnet.control.sharing.reserve import Reserve, Taking
from ovsnet.ipam.allocator import full
from ovsnet.ipam.leasing import Family, kept, range_of, span_of, subnet_of
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.model.ids import HostName, IpAddress, SharedId
from ovsnet.model.network import Network
from ovsnet.settings import Settings

MARGIN = 1.0
"""Seconds of a call's deadline kept back for the local store."""
DATABASE = "the cluster's database"
REMEDY = "'ovsnet cluster status' shows which hosts answer; running containers go on"

Learning = Callable[[SharedId], AbstractAsyncContextManager[object]]
"""While such a block runs, all leases and endpoints of the network are known (`Interest.network`)."""
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class HandOut(Protocol[T_co]):
    """Gives the request an address of ours, durably; None when there is none that is free."""

    async def __call__(self, taking: Taking, *, rested: bool) -> T_co | None:
        """With `rested` also one that was released a moment ago. `taking.address` says which, before it is written."""


class SharedAddresses:
    """What a member of a cluster needs beside its own pools. `reserve` must run and be nudged (see there)."""

    def __init__(
        self,
        leases: Leases,
        reserve: Reserve,
        peers: Peers,
        settings: Settings,
        dead: Callable[[], Collection[HostName]] = tuple,
        learning: Learning = nullcontext,
        parts: Parts | None = None,
    ) -> None:
        """`dead` are the members that give no sign of life: nobody waits for them to give something back.

        `learning` as it is needs a store that has everything. `parts` are those of SharedNetworks.
        """
        self.parts = parts or Parts()
        self._learning = learning
        self._leases = leases
        self._reserve = reserve
        self._asking = Asking(leases, peers, settings.store_deadline, dead)
        self._patience = max(settings.attach_deadline - MARGIN, settings.attach_deadline / 2)

    def snapshot(self) -> Cluster:
        """What is known of the cluster now."""
        return self._leases.snapshot()

    def network(self, part: Network) -> SharedNetwork:
        """The network of the cluster that this is a part of.

        Unavailable while the cluster was not seen yet, Conflict when it has no such network any more.
        """
        cluster = self.snapshot()
        found = cluster.networks.get(part.shared)
        if found is None and not cluster.members:
            raise Unavailable(DATABASE, "it was not seen since the agent started", remedy=REMEDY)
        if found is None:
            raise Conflict(
                f"network {part.title} was removed from the cluster; remove it here with 'docker network rm' as well"
            )
        return found

    def to_hand_out(self, network: SharedNetwork, version: int) -> frozenset[IpAddress]:
        """What this host may give to whoever asks for any address, unless it has given it to somebody."""
        span = span_of(network, version)
        return frozenset(it for it in self._leases.to_hand_out((network.id, version)) if int(it) in span)

    def ours(self, network: SharedNetwork, address: IpAddress) -> bool:
        """Whether this host may hand out exactly this one."""
        return address in self._leases.to_hand_out((network.id, address.version))

    async def lend(self, network: SharedNetwork, version: int, address: IpAddress | None, hand_out: HandOut[T]) -> T:
        """What `hand_out` made of the address asked for, or of any.

        Conflict when it is another host's (whose) or when the network is full; Unavailable when the addresses held
        ahead are used up and the cluster's database does not answer.
        """
        end = asyncio.get_running_loop().time() + self._patience
        family = (network.id, version)
        try:
            with self._reserve.taking(family, address) as taking:
                if address is None:
                    return await self._any(network, family, taking, hand_out, end)
                return await self._exactly(network, address, taking, hand_out, end)
        except TimeoutError:
            reason = f"it did not lease an address of network {network.title} within {self._patience:g} seconds"
            raise Unavailable(DATABASE, reason, remedy=REMEDY) from None

    async def _exactly(
        self, network: SharedNetwork, address: IpAddress, taking: Taking, hand_out: HandOut[T], end: float
    ) -> T:
        _refuse_kept(network, address)
        if not self.ours(network, address):
            async with asyncio.timeout_at(end), self._learning(network.id):
                await self._asking.secure(network, address)
        given = await hand_out(taking, rested=True)
        if given is None:
            raise Conflict(f"address {address} of network {network.title} was taken meanwhile; choose another --ip")
        return given

    async def _any(self, network: SharedNetwork, family: Family, taking: Taking, hand_out: HandOut[T], end: float) -> T:
        async with AsyncExitStack() as learning:
            while True:
                given = await hand_out(taking, rested=not self._leases.available)
                if given is not None:
                    return given
                try:
                    async with asyncio.timeout_at(end):
                        # What nobody has can be told only from what everybody has.
                        await learning.enter_async_context(self._learning(network.id))
                        claimed = await self._reserve.more(family)
                except (Unavailable, TimeoutError) as error:
                    given = await hand_out(taking, rested=True)
                    if given is not None:
                        return given
                    raise _used_up(network, error) from error
                given = None if claimed else await hand_out(taking, rested=True)
                if given is not None:
                    return given
                if not claimed:
                    await self._ask_others(network, family, end)

    async def _ask_others(self, network: SharedNetwork, family: Family, end: float) -> None:
        """Returns when another host gave something back."""
        async with asyncio.timeout_at(end):
            asked = await self._asking.some(family, lambda: self._reserve.demand(family))
        if not asked.got:
            raise _full(network, family[1], asked.silent)


def _refuse_kept(network: SharedNetwork, address: IpAddress) -> None:
    if address in (network.gateway4, network.gateway6):
        who = "the network's gateway"
    elif address in kept(network):
        who = "the network itself, by --aux-address"
    else:
        return
    raise Conflict(f"address {address} of network {network.title} is held by {who}; choose another --ip")


def _used_up(network: SharedNetwork, error: Exception) -> Unavailable:
    reason = error.reason if isinstance(error, Unavailable) else "no answer in time"
    return Unavailable(
        DATABASE,
        f"{reason}; and the addresses this host holds ahead for network {network.title} are used up",
        remedy=REMEDY,
    )


def _full(network: SharedNetwork, version: int, silent: tuple[HostName, ...]) -> Conflict:
    subnet = subnet_of(network, version)
    if subnet is None:
        return Conflict(f"network {network.title} has no IPv{version} subnet")
    error = full(subnet, range_of(network, version), span_of(network, version).size)
    if not silent:
        return error
    hosts = ", ".join(f"host {it}" for it in silent)
    return Conflict(f"{error}; some may lie idle on {hosts}, which does not answer")
