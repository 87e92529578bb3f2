"""IpamDriver.*: the engine's address calls as requests to control, and its results as answers."""

from typing import Protocol

from ovsnet.control.requests import AddressRequest, PoolRequest
from ovsnet.docker import answers, wire
from ovsnet.docker.answers import Answer
from ovsnet.docker.calls import Calls
from ovsnet.model.addressing import LOCAL_SPACE, SHARED_SPACE, Pool
from ovsnet.model.ids import IpAddress, IpInterface, PoolId


class Addresses(Protocol):
    """The pools and addresses we are asked to keep."""

    async def request_pool(self, request: PoolRequest, /) -> Pool:
        """Make a pool with the subnet asked for, or with a free one that no earlier call was given."""

    async def release_pool(self, pool_id: PoolId, /) -> object:
        """Forget a pool; an unknown one is already forgotten."""

    async def request_address(self, request: AddressRequest, /) -> IpInterface:
        """Hold the address asked for, or a free one; it carries the subnet's prefix length."""

    async def release_address(self, pool_id: PoolId, address: IpAddress, /) -> object:
        """Let go of an address; an unknown one is already released."""


class IpamDriver:
    """One method for each call; each takes the request's body."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    @property
    def calls(self) -> Calls:
        """Every method of the protocol, by its name."""
        return {
            "IpamDriver.GetCapabilities": self.get_capabilities,
            "IpamDriver.GetDefaultAddressSpaces": self.get_default_address_spaces,
            "IpamDriver.RequestPool": self.request_pool,
            "IpamDriver.ReleasePool": self.release_pool,
            "IpamDriver.RequestAddress": self.request_address,
            "IpamDriver.ReleaseAddress": self.release_address,
        }

    async def get_capabilities(self, _: bytes) -> Answer:
        """No MAC is needed, as addresses do not depend on it; no replay, as all of it is in our store."""
        return answers.IpamCapabilities(requires_mac=False, requires_replay=False)

    async def get_default_address_spaces(self, _: bytes) -> Answer:
        """Constant: newer engines ask before every pool."""
        return answers.AddressSpaces(LOCAL_SPACE, SHARED_SPACE)

    async def request_pool(self, body: bytes) -> Answer:
        request = wire.decode(wire.RequestPool, body).request()
        return answers.pool_answer(await self._addresses.request_pool(request))

    async def release_pool(self, body: bytes) -> Answer:
        await self._addresses.release_pool(PoolId(wire.decode(wire.ReleasePool, body).pool_id))
        return Answer()

    async def request_address(self, body: bytes) -> Answer:
        request = wire.decode(wire.RequestAddress, body).request()
        return answers.address_answer(await self._addresses.request_address(request))

    async def release_address(self, body: bytes) -> Answer:
        message = wire.decode(wire.ReleaseAddress, body)
        await self._addresses.release_address(PoolId(message.pool_id), message.parsed())
        return Answer()
