"""A pair that is a port of our bridge before anybody asks for one: CreateEndpoint takes it. Pure."""

from dataclasses import dataclass

from ovsnet.model.ids import EndpointId, Mac


@dataclass(frozen=True, slots=True)
class Spare:
    """Wanted from when it is made until an endpoint takes it, which then says so (`Endpoint.spare`).

    `id` is made like an engine's endpoint id: link and port are named by it, before and after. `mac` is that of the end
    for the container. `offload` is False where no packet may pass without a checksum.
    """

    id: EndpointId
    mac: Mac
    mtu: int
    offload: bool = True
    created_at: float = 0.0

    def fits(self, mtu: int, *, offload: bool) -> bool:
        """Whether it is what would be made for an endpoint of that MTU."""
        return (self.mtu, self.offload) == (mtu, offload)
