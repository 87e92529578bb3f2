"""How fast a container's interface on a network may be, as somebody ordered while it ran. Pure.

The engine gives a container a new endpoint at every start, and does not know of this: so it is of the container.
"""

from dataclasses import dataclass

from ovsnet.model.ids import NetworkId


@dataclass(frozen=True, slots=True)
class Bound:
    """The most it may send, and the most it may receive, in bits a second; 0 for no bound, whatever options say."""

    container_id: str
    network_id: NetworkId
    rate: int

    @property
    def key(self) -> tuple[str, NetworkId]:
        """What it is unique by."""
        return self.container_id, self.network_id
