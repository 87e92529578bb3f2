"""FakeEngine: networks and containers as values. Passes the contract in tests/system/test_engine_client.py."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork, NetworkSpec
from ovsnet.model.errors import ApplyError, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import EndpointId, NetworkId

OnCreate = Callable[[NetworkId, NetworkSpec], Awaitable[object]]
OnDelete = Callable[[NetworkId], Awaitable[object]]


async def _content(*_: object) -> None:
    """A driver that agrees."""


class FakeEngine:
    """An engine of one host. The drivers are called as the real one does: while the network is not listed."""

    def __init__(self, name: str = "e", on_create: OnCreate = _content, on_delete: OnDelete = _content) -> None:
        self.away = False
        self.asked = 0
        """How often anything was asked of it."""
        self._name = name
        self.on_create = on_create
        self.on_delete = on_delete
        self._networks: dict[NetworkId, EngineNetwork] = {}
        self._endpoints: dict[EndpointId, EngineEndpoint] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._made = 0

    @property
    def names(self) -> set[str]:
        return {it.name for it in self._networks.values()}

    def facts(self) -> EngineFacts:
        """A listing, as the follower hands it on."""
        ours = {key: it for key, it in self._networks.items() if "ovsnet" in (it.driver, it.ipam_driver)}
        return EngineFacts(ours, dict(self._endpoints), complete=not self.away)

    async def networks(self) -> Mapping[NetworkId, EngineNetwork]:
        self._answer()
        return dict(self._networks)

    async def create_network(self, spec: NetworkSpec) -> NetworkId:
        self._answer()
        if spec.name in self.names:
            raise Conflict(f"network {spec.name}: network with name {spec.name} already exists")
        self._made += 1
        network_id = NetworkId(f"{self._name}{self._made:04d}".ljust(64, "0"))
        try:
            await self.on_create(network_id, spec)
        except OvsnetError as error:
            raise ApplyError(f"network {spec.name}", str(error)) from error
        self.add(
            EngineNetwork(
                id=network_id,
                name=spec.name,
                driver=spec.driver,
                ipam_driver=spec.ipam_driver,
                ipam_options=MappingProxyType(dict(spec.ipam_options)),
                subnets=tuple(it.subnet for it in spec.subnets),
                labels=MappingProxyType(dict(spec.labels)),
                options=MappingProxyType(dict(spec.options)),
                internal=spec.internal,
            )
        )
        return network_id

    async def remove_network(self, network_id: NetworkId) -> None:
        self._answer()
        network = self._networks.get(network_id)
        if network is None:
            return
        if any(it.network_id == network_id for it in self._endpoints.values()):
            raise Conflict(f"network {network.name}: network {network.name} has active endpoints")
        del self._networks[network_id]
        try:
            await self.on_delete(network_id)
        except OvsnetError:
            """The engine logs it and goes on."""

    async def aliases(self, container_id: str) -> Mapping[EndpointId, tuple[str, ...]]:
        self._answer()
        names = self._aliases.get(container_id)
        if names is None:
            raise Unavailable("Docker engine", f"container {container_id} is locked")
        return {it.id: names for it in self._endpoints.values() if it.container_id == container_id}

    # ------------------------------------------------------------ what users do

    def add(self, network: EngineNetwork) -> None:
        """A network somebody made."""
        self._networks[network.id] = network

    def start(self, container: str, endpoint_id: EndpointId, network_id: NetworkId) -> None:
        """A container runs; it is locked until it is `unlocked`."""
        self._endpoints[endpoint_id] = EngineEndpoint(endpoint_id, network_id, f"id-{container}", container)

    def unlock(self, container: str, *aliases: str) -> None:
        """The container can be inspected."""
        self._aliases[f"id-{container}"] = aliases

    def stop(self, container: str) -> None:
        """The container does not run any more."""
        self._endpoints = {key: it for key, it in self._endpoints.items() if it.container_name != container}

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("Docker engine", "it is stopped")
