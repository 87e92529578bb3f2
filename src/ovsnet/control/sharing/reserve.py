"""The reserve: addresses of the cluster that this host holds ahead, so that a start does not wait for other hosts.

    want   what containers have, what is asked for just now, and a few more for each network that is used here
    have   what is leased to this host
    round  one commit that claims what is missing and gives back what is too much

Rounds are run by one task and cover all networks: two hundred requests at once cost one or two commits. After a failed
round the next nudge begins another one.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from ovsnet.control.sharing.holdings import Stock, Use, uses
from ovsnet.control.sharing.leases import Key, Leases, no_member
from ovsnet.ipam import leasing
from ovsnet.ipam.leasing import Family
from ovsnet.model.cluster import Cluster, Lease, SharedNetwork
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import IpAddress, SharedId
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.interface import Change, Put

TRIMS_PER_REST = 4
"""How often what is too much is given back while one address rests: many at once instead of one by one."""

log = structlog.get_logger("addresses")


@dataclass(slots=True, eq=False)
class Taking:
    """A request on its way. `address` is what it is about to get; None while it needs one."""

    family: Family
    address: IpAddress | None = None


@dataclass(slots=True)
class Claiming:
    """One attempt to claim, over all its tries: what lost a race in one try is not wanted in the next."""

    tried: dict[Family, set[IpAddress]] = field(default_factory=dict)
    next_place: dict[Family, int] = field(default_factory=dict)
    used_up: set[Family] = field(default_factory=set)
    left: frozenset[Key] = frozenset()

    def begin(self) -> None:
        """Another try."""
        self.next_place.clear()
        self.used_up.clear()


Asked = tuple[Family, asyncio.Future[bool]]
NOTHING = Use()


class Reserve:
    """Keeps the leases of this host what its networks need. Nothing happens unless `run` runs."""

    def __init__(
        self, leases: Leases, local: Callable[[], State], clock: Callable[[], float], settings: Settings
    ) -> None:
        """`local`: the present state of this host's own store; `clock`: seconds since the epoch."""
        self._leases = leases
        self._local = local
        self._clock = clock
        self._settings = settings
        self._takings: set[Taking] = set()
        self._asked: list[Asked] = []
        self._nudged = asyncio.Event()
        self._next_place: dict[Family, int] = {}
        self._unused_since: dict[SharedId, float] = {}
        self._next_trim = 0.0
        self._wake_at: float | None = None
        self._looked_at: tuple[object, ...] = ()
        self._failing = False

    # ------------------------------------------------------------ for requests

    @contextmanager
    def taking(self, family: Family, address: IpAddress | None = None) -> Iterator[Taking]:
        """While this lasts an address is kept for the request: the one it names, or any."""
        it = Taking(family, address)
        self._takings.add(it)
        try:
            yield it
        except BaseException:
            # What was claimed for it is too much now. After a success the local store tells.
            self._look_again()
            raise
        finally:
            self._takings.discard(it)

    async def more(self, family: Family) -> bool:
        """Returns after a round that saw the request; False when there was nothing left to claim.

        Raises what the database said; bounded by who calls.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((family, answer))
        self._nudged.set()
        return await answer

    def demand(self, family: Family) -> int:
        """Requests that have no address yet."""
        return sum(it.family == family and it.address is None for it in self._takings)

    # ------------------------------------------------------------ for other members

    async def yield_address(self, network: SharedId, address: IpAddress) -> bool:
        """Let another host have exactly this one; False when it is in use here."""
        if self._leases.owner((network, address)) != self._leases.me:
            return True
        if address in self._busy((network, address.version), self._uses()):
            return False
        await self._give_back([(network, address)])
        return True

    async def yield_addresses(self, network: SharedId, count: int, version: int) -> tuple[IpAddress, ...]:
        """Let other hosts have up to `count` that nothing here needs, what rests last; returns which."""
        family, used = (network, version), self._uses()
        idle = self._leases.to_hand_out(family) - self._busy(family, used)
        rested = used.get(family, NOTHING).resting
        in_order = sorted(idle, key=lambda it: (rested.get(it, 0.0), int(it)))
        chosen = in_order[: max(0, min(count, len(idle) - self.demand(family)))]
        await self._give_back([(network, it) for it in chosen])
        return tuple(chosen)

    async def _give_back(self, keys: Sequence[Key]) -> None:
        try:
            await self._leases.give_back(keys)
        finally:
            self._look_again()

    # ------------------------------------------------------------ rounds

    def nudge(self) -> None:
        """Either store changed, or came back. Cheap, callable from anywhere on the loop."""
        self._leases.changed()
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled. Survives everything the stores may say."""
        while True:
            await self._woken()
            self._nudged.clear()
            await self._round()

    async def _woken(self) -> None:
        pause = None if self._wake_at is None else max(0.0, self._wake_at - self._clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._nudged.wait()

    async def _round(self) -> None:
        asked, self._asked = self._asked, []
        seen = self._seen()
        due = self._wake_at is not None and self._clock() >= self._wake_at
        if not asked and not due and _same(seen, self._looked_at):
            return
        self._looked_at, self._wake_at = (), None
        if not asked and not self._leases.available:
            return
        if self._leases.available:
            self._mark()
        claiming = Claiming()
        try:
            await self._leases.commit(partial(self._decide, claiming))
        except OvsnetError as error:
            self._refused(asked, error)
            return
        self._looked_at = seen
        self._next_place.update(claiming.next_place)
        self._leases.left(claiming.left)
        self._granted(asked, claiming)

    def _granted(self, asked: Sequence[Asked], claiming: Claiming) -> None:
        if self._failing:
            log.info("addresses of the cluster can be claimed again")
        self._failing = False
        for family, answer in asked:
            if not answer.done():
                answer.set_result(family not in claiming.used_up)

    def _refused(self, asked: Sequence[Asked], error: OvsnetError) -> None:
        if not self._failing:
            log.warning("addresses of the cluster cannot be claimed or given back", reason=str(error))
        self._failing = True
        for _, answer in asked:
            if not answer.done():
                answer.set_exception(error)

    def _look_again(self) -> None:
        self._looked_at = ()
        self.nudge()

    def _seen(self) -> tuple[object, ...]:
        """What a round depends on, but for the time. Most changes of the cluster are signs of life."""
        here, cluster = self._local(), self._leases.snapshot()
        ours = (here.networks, here.endpoints, here.allocations)
        return (*ours, cluster.networks, cluster.members, self._leases.mine(), self._leases.sight())

    # ------------------------------------------------------------ what is missing

    def _decide(self, claiming: Claiming, cluster: Cluster) -> tuple[Sequence[Change], None]:
        claiming.begin()
        wanting = {it.family for it in self._takings if it.address is None}
        if self._leases.me not in cluster.members:
            if wanting:
                raise no_member(self._leases.me)
            return (), None
        used = self._uses()
        claiming.left = frozenset(self._leases.leaving)
        changes = [*self._leases.dropping(claiming.left, cluster)]
        for family in sorted({*(family for family, use in used.items() if use.held), *wanting}):
            network = cluster.networks.get(family[0]) if self._leases.knows(family[0]) else None
            stock = self._stock(family, network, used) if network is not None else None
            if stock is not None:
                changes += [Put(Lease(family[0], it, self._leases.me)) for it in self._claims(stock, claiming)]
        return changes, None

    def _claims(self, stock: Stock, claiming: Claiming) -> Sequence[IpAddress]:
        family = (stock.network.id, stock.version)
        tried = claiming.tried.setdefault(family, set())
        lost = [it for it in stock.lost if it not in tried]
        place = self._next_place.get(family) or leasing.first_place(stock.network, stock.version, self._leases.me)
        chosen = stock.claims(place, tried)
        if chosen:
            claiming.next_place[family] = int(chosen[-1]) + 1
        elif stock.demand > len(stock.free):
            claiming.used_up.add(family)
        tried.update(lost, chosen)
        return [*lost, *chosen]

    # ------------------------------------------------------------ what is too much

    def _mark(self) -> None:
        """From now on this is not handed out any more; and when to look again without a nudge."""
        used, now = self._uses(), self._clock()
        chosen: set[Key] = set()
        wakes: list[float] = []
        trim = now >= self._next_trim
        for family in self._leases.mine():
            doomed, wake = self._too_much(family, used, trim=trim)
            chosen.update((family[0], it) for it in doomed)
            wakes += wake
        self._wake_at = min(wakes, default=None)
        self._leases.leaving |= chosen

    def _too_much(
        self, family: Family, used: Mapping[Family, Use], *, trim: bool
    ) -> tuple[Collection[IpAddress], list[float]]:
        """What to give back of one network, and when there may be more."""
        network, idle = self._leases.snapshot().networks.get(family[0]), self._leases.to_hand_out(family)
        if network is None or self._unused(family, used):
            return idle - self._busy(family, used), []
        stock = self._stock(family, network, used)
        surplus = stock.surplus()
        if surplus and trim:
            self._next_trim = self._clock() + self._settings.address_rest / TRIMS_PER_REST
        # A little later than the first of them, for many at once.
        rest = self._settings.address_rest * (1 + 1 / TRIMS_PER_REST)
        wakes = [max(min(stock.use.resting.values()) + rest, self._next_trim)] if stock.use.resting else []
        wakes += [self._next_trim] if surplus and not trim else []
        wakes += [it + self._settings.reserve_idle for it in (self._unused_since.get(family[0]),) if it is not None]
        return stock.unwanted() | frozenset(surplus if trim else ()), wakes

    def _unused(self, family: Family, used: Mapping[Family, Use]) -> bool:
        """True when no container here has used the network, in either family, for a while."""
        network, now = family[0], self._clock()
        if any(self._busy((network, version), used) or self.demand((network, version)) for version in (4, 6)):
            self._unused_since.pop(network, None)
            return False
        since = self._unused_since.setdefault(network, now)
        if since > now:  # the clock was set back
            self._unused_since[network] = since = now
        return now - since >= self._settings.reserve_idle

    # ------------------------------------------------------------ looking

    def _uses(self) -> Mapping[Family, Use]:
        return uses(self._local(), now=self._clock(), rest=self._settings.address_rest)

    def _busy(self, family: Family, used: Mapping[Family, Use]) -> frozenset[IpAddress]:
        """What must stay ours: what containers have, and what they are about to get."""
        taken = {it.address for it in self._takings if it.family == family and it.address is not None}
        return frozenset(used.get(family, NOTHING).held | taken)

    def _stock(self, family: Family, network: SharedNetwork, used: Mapping[Family, Use]) -> Stock:
        version, use = family[1], used.get(family, NOTHING)
        return Stock(
            network=network,
            version=version,
            owners=self._leases.owners(family),
            mine=self._leases.to_hand_out(family),
            use=use,
            busy=self._busy(family, used),
            demand=self.demand(family),
            ahead=leasing.ahead(
                self._settings.address_reserve,
                size=leasing.size_of(network, version),
                in_use=self._leases.elsewhere(family) + len(use.held),
                hosts=len(self._leases.snapshot().members),
            ),
        )


def _same(seen: tuple[object, ...], before: tuple[object, ...]) -> bool:
    return len(seen) == len(before) and all(one is other for one, other in zip(seen, before, strict=True))
