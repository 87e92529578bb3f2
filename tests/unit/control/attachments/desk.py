"""A host on which things are attached, in memory: store, pools, containers, namespaces, a reconciler that agrees."""

from collections.abc import Collection, Sequence
from itertools import count
from types import MappingProxyType

from ovsnet.control.addresses import Addresses
from ovsnet.control.attachments.attaching import Attachments, Surroundings
from ovsnet.control.attachments.devices import HostNic
from ovsnet.control.attachments.following import Following
from ovsnet.control.attachments.targets import Targets
from ovsnet.control.commit import Committer
from ovsnet.control.kernel import Kernel
from ovsnet.control.requests import PoolRequest
from ovsnet.model.attachment import Attachment
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import Datapath, OtherBridge, SwitchFacts
from ovsnet.model.ids import IpNetwork, Mac
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, NicSettings, Phase, Uplink
from ovsnet.model.wishes import parse_words
from ovsnet.settings import Settings
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.targets import FakeTargets

LAN = {"lan": OtherBridge(Datapath.KERNEL)}


class Desk:
    """Attach, detach, follow."""

    def __init__(self, store: MemoryStore[State] | None = None) -> None:
        self.store = MemoryStore(LOCAL) if store is None else store
        self.committer = Committer(self.store)
        self.there = FakeTargets()
        self.switch = SwitchFacts(available=True, datapath=Datapath.USERSPACE, bridges=MappingProxyType(LAN))
        self.refusal: OvsnetError | None = None
        self.kernel_lacks: set[str] = set()
        self.nics: dict[str, HostNic] = {}
        self.waited: list[tuple[str, ...]] = []
        self.pools = Addresses(self.committer, lambda: 1000.0, self._no_networks, Settings(), bytes)
        self.kernel = Kernel(self._lacking)
        numbers = count(1)
        here = Surroundings(
            bridge="br-ovsnet",
            deadline=1.0,
            switch=lambda: self.switch,
            mtu_of={"docker0": 1500, "lan": 9000}.get,
            clock=lambda: 1000.0,
            new_prefix=lambda: "0a:11:22",
            random=lambda size: f"{next(numbers):02x}" * size,
            find_nic=self._find_nic,
            kernel=self.kernel,
        )
        namespaces = self.there.namespaces
        targets = Targets(self.there, namespaces)
        self.attachments = Attachments(self.committer, self, self.pools, targets, namespaces, here)
        self.watched: set[str] = set()
        self.following = Following(self.committer, self.attachments, self.there, namespaces, self._watch)

    @property
    def state(self) -> State:
        return self.store.snapshot()

    @property
    def only(self) -> Attachment:
        """The one attachment there is."""
        (one,) = self.state.attachments.values()
        return one

    async def attach(self, target: str, words: str) -> Attachment:
        return await self.attachments.attach(parse_words(target, words))

    async def look(self) -> None:
        """The engine lists, and that is taken up."""
        self.following.consider(self.there.facts())
        await self.following.look()

    async def with_network(self, network: Network) -> None:
        """A network with pools of ours."""
        for subnet in (network.ipv4, network.ipv6):
            if subnet is not None:
                await self.pools.request_pool(PoolRequest("ovsnet-local", subnet, v6=subnet.version == 6))
        await self.store.commit(self.state, [Put(network)])

    async def with_uplink(self, phase: Phase) -> None:
        """The NIC eth0 is a port of the bridge lan, or on its way there."""
        settings = NicSettings(Mac("02:00:00:00:00:01"), 1500)
        uplink = Uplink("eth0", "lan", Hold.OWN, phase, Datapath.KERNEL, settings)
        await self.store.commit(self.state, [Put(uplink)])

    def held(self) -> set[str]:
        return {str(it.address) for it in self.state.allocations.values() if it.held}

    # ------------------------------------------------------------ the reconciler

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        del revision, deadline
        self.waited.append(tuple(resources))
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return True

    def _find_nic(self, name: str) -> HostNic | None:
        return self.nics.get(name)

    async def _lacking(self, kinds: Collection[str]) -> Collection[str]:
        return self.kernel_lacks & set(kinds)

    async def _no_networks(self) -> list[IpNetwork]:
        return []

    def _watch(self, pids: object) -> None:
        self.watched = set(pids)  # type: ignore[call-overload]
