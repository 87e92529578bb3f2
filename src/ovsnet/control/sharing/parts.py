"""Which network of the cluster this host's engine is just making its part of.

The engine calls our drivers meanwhile and tells them neither the network's name nor why it is made. A mark among the
options would tell, and would show: people and programs that compare options (Compose) find the same on every host.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ovsnet.control.requests import PoolRequest
from ovsnet.model.addressing import name_in
from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.ids import NOT_SHARED, IpNetwork, SharedId


class Parts:
    """Written by who asks the engine, read by the drivers. In memory: a creation does not outlive its agent.

    A subnet that was given for a part is given to nobody else of its address space, and to nobody of another one until
    the part is made (`Subnets`): so the network that is made with it is that part.
    """

    def __init__(self) -> None:
        self._expected: dict[SharedId, SharedNetwork] = {}
        self._given: dict[IpNetwork, SharedId] = {}

    @contextmanager
    def expected(self, network: SharedNetwork) -> Iterator[None]:
        """While this lasts, a request for this network's subnet is for our part of it."""
        self._expected[network.id] = network
        try:
            yield
        finally:
            del self._expected[network.id]
            self._given = {subnet: it for subnet, it in self._given.items() if it != network.id}

    def wanting(self, request: PoolRequest) -> SharedId:
        """The network for whose part this subnet is asked for; "" when none is expected."""
        if request.subnet is None:
            return NOT_SHARED
        name = name_in(request.space)
        wanted = (request.subnet, request.sub_range)
        found = (it for it in self._expected.values() if wanted in ((it.ipv4, it.range4), (it.ipv6, it.range6)))
        return next((it.id for it in found if it.space == name), NOT_SHARED)

    def given(self, request: PoolRequest) -> None:
        """The subnet was given for what it was asked for."""
        if request.subnet is None:
            return
        part_of = self.wanting(request)
        if part_of:
            self._given[request.subnet] = part_of
        else:
            self._given.pop(request.subnet, None)

    def made_with(self, *subnets: IpNetwork | None) -> SharedId:
        """The network whose part is made with one of these; "" for any other. An engine may add one by itself."""
        return next((self._given[it] for it in subnets if it is not None and it in self._given), NOT_SHARED)
