"""One interface of one container on a network of ours, wanted by Docker or by an attachment of the same id. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Address, IPv6Interface

from ovsnet.model.ids import EndpointId, Mac, NetworkId, Vlan
from ovsnet.model.listening import EVERYTHING, Listening
from ovsnet.model.network import Network
from ovsnet.model.publication import Publication


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint from CreateEndpoint to DeleteEndpoint.

    `plugged` is False between Leave and DeleteEndpoint: nothing of it is wanted on the host then.
    `sandbox` is the path of the container's network namespace ("" before Join).
    `ifname` is what the interface is called inside ("" until it was seen there): a lost interface is made anew by it.
    `container_*` come from the engine's events ("" until then), and so does `compose_service`, which the container's
    label names ("" for most). `aliases` are the other names it has on its network, the engine's own short id among
    them; they are asked for only where other hosts need them (() until then). `names_route` is the route to the name
    service that it was given at Join. `listens` is what was seen of its multicast groups. `host_ifname` is the name
    somebody chose for its port ("" for most). `rate` is the most it may send, and the most it may receive, in bits a
    second, 0 for no bound; None where its network's counts (see `State.rate_of`). `published`: the ports of this
    host that lead to it while it is its container's way out. `spare` is the id of the spare it took, by which its link
    and port are named; "" where they were made for it.
    """

    id: EndpointId
    network_id: NetworkId
    mac: Mac
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    vlan: Vlan | None = None
    plugged: bool = True
    sandbox: str = ""
    ifname: str = ""
    container_id: str = ""
    container_name: str = ""
    compose_service: str = ""
    aliases: tuple[str, ...] = ()
    names_route: IPv4Network | None = None
    listens: Listening = EVERYTHING
    host_ifname: str = ""
    rate: int | None = None
    published: tuple[Publication, ...] = ()
    spare: str = ""
    created_at: float = 0.0

    @property
    def title(self) -> str:
        """The name people know it by: the container's, or the short endpoint id while that is not known."""
        return self.container_name or self.id[:12]

    def vlan_on(self, network: Network) -> Vlan:
        """The VLAN it is on: its own where it was given one, else its network's."""
        return network.options.vlan if self.vlan is None else self.vlan

    @property
    def link_local(self) -> IPv6Address:
        """The IPv6 link-local address the kernel derives from the MAC (RFC 4291 appendix A)."""
        return link_local(self.mac)


def link_local(mac: Mac) -> IPv6Address:
    """fe80::/64 with the modified EUI-64 of the MAC (RFC 4291 appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    eui = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + eui)
