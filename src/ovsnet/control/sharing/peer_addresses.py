"""Asks other members' agents for addresses they hold ahead (see `asking.Peers`)."""

from collections.abc import Callable
from ipaddress import ip_address

from ovsnet.cluster.peer_messages import YieldRequest
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import HostName, IpAddress, SharedId


class PeerAddresses:
    """`cluster`: what is known of it now; it says where a member is reached."""

    def __init__(self, peers: Peers, cluster: Callable[[], Cluster]) -> None:
        self._peers = peers
        self._cluster = cluster

    async def yield_addresses(
        self, member: HostName, network: SharedId, count: int, family: int
    ) -> tuple[IpAddress, ...]:
        """See asking.Peers."""
        request = YieldRequest(network=network, count=count, family=4 if family == 4 else 6)
        answer = await self._peers.yield_addresses(self._peer(member), request)
        try:
            return tuple(ip_address(it) for it in answer.addresses)
        except ValueError as error:
            raise Unavailable(f"host {member}", f"its answer is not understood ({error})") from error

    async def yield_address(self, member: HostName, network: SharedId, address: IpAddress) -> bool:
        """See asking.Peers."""
        request = YieldRequest(network=network, address=str(address))
        return bool((await self._peers.yield_addresses(self._peer(member), request)).addresses)

    def _peer(self, name: HostName) -> Peer:
        member = self._cluster().members.get(name)
        if member is None:
            raise Unavailable(f"host {name}", "it is not a member of the cluster any more; try again in a moment")
        return Peer(member.address, name)
