"""Services that people publish and import by order: ports of this host that lead to a container, and addresses of a
network that lead to a service elsewhere. Pure.

export    this host:9090 ─► container c1, port 80        for as long as the container is, over its restarts
import    10.20.0.9:3322 ─► 192.0.2.7, port 2211         for the containers on the network that has the address
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import IpAddress, NetworkId
from ovsnet.model.publication import MAX_PORT, PortWish, Publication, Transport, bracketed

IMPORTED: Final = "an imported service"
"""Who holds the address of one, in the pool of its network; no container is called so."""
LOOKS_EXPORT = "write it like 8080:80, 192.0.2.1:8080:80, [2001:db8::1]:8080:80 or 53:53/udp"
LOOKS_SERVICE = "write it like 10.20.0.9:3322, [fd00:20::9]:3322 or 10.20.0.9:53/udp"


@dataclass(frozen=True, slots=True)
class Export:
    """A port of this host that leads to a container on a network, whenever that runs, for one IP version.

    `container_name` is what it was called when this was ordered.
    """

    publication: Publication
    container_id: str
    network_id: NetworkId
    container_name: str = ""

    @property
    def key(self) -> tuple[Transport, IpAddress, int]:
        """What it is unique by: what it takes of the host."""
        return self.publication.transport, self.publication.host, self.publication.host_port

    @property
    def title(self) -> str:
        """Where it leads, as people know it."""
        return f"container {self.container_name or self.container_id[:12]}"


@dataclass(frozen=True, slots=True)
class Import:
    """What containers of a network send to `port` of `address` goes to `target_port` of `target`."""

    network_id: NetworkId
    address: IpAddress
    transport: Transport
    port: int
    target: IpAddress
    target_port: int

    @property
    def key(self) -> tuple[NetworkId, IpAddress, Transport, int]:
        """What it is unique by."""
        return self.network_id, self.address, self.transport, self.port

    @property
    def title(self) -> str:
        """As containers know it."""
        return f"{bracketed(self.address)}:{self.port}/{self.transport}"

    @property
    def leads_to(self) -> str:
        """Where it is, as people write it."""
        return f"{bracketed(self.target)}:{self.target_port}"


@dataclass(frozen=True, slots=True)
class Service:
    """A port of an address."""

    transport: Transport
    address: IpAddress
    port: int


def parse_export(text: str) -> PortWish:
    """`[ADDRESS:]HOSTPORT:PORT[/PROTOCOL]`, as `docker run -p` takes it, without ranges."""
    where, transport = _transport(text, LOOKS_EXPORT)
    rest, _, port = where.rpartition(":")
    host, number = _host_and_port(rest, text)
    return PortWish(transport, host, number, number, _port(port, text, LOOKS_EXPORT))


def parse_exported(text: str) -> PortWish:
    """`[ADDRESS:]HOSTPORT[/PROTOCOL]`: the host's side of an export; its `port` says nothing."""
    where, transport = _transport(text, LOOKS_EXPORT)
    host, number = _host_and_port(where, text)
    return PortWish(transport, host, number, number, number)


def parse_service(text: str) -> Service:
    """`ADDRESS:PORT[/PROTOCOL]`."""
    where, transport = _transport(text, LOOKS_SERVICE)
    address, _, port = where.rpartition(":")
    return Service(transport, _address(address, text), _port(port, text, LOOKS_SERVICE))


def parse_target(text: str, of: Service) -> Service:
    """`ADDRESS:PORT`, of the IP version and the protocol of the service that it stands for."""
    found = parse_service(text if "/" in text else f"{text}/{of.transport}")
    if found.transport is not of.transport:
        raise BadRequest(f"{text}: a service of {of.transport} cannot lead to one of {found.transport}")
    address = found.address
    if address.version != of.address.version:
        raise BadRequest(
            f"{text}: what is sent to IPv{of.address.version} cannot go to IPv{address.version}; give a target of "
            f"IPv{of.address.version}, or import it at an address of IPv{address.version}"
        )
    if address.is_loopback:
        raise BadRequest(f"{text}: containers cannot be led to this host's loopback; give another address of this host")
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        raise BadRequest(f"{text}: {address} is not the address of a service; give one that this host has a route to")
    return found


def _transport(text: str, looks: str) -> tuple[str, Transport]:
    where, _, name = text.partition("/")
    try:
        return where, Transport(name.lower() or Transport.TCP)
    except ValueError:
        raise BadRequest(f"{text!r}: {name!r} is none of {', '.join(Transport)}; {looks}") from None


def _host_and_port(where: str, text: str) -> tuple[IpAddress | None, int]:
    host, _, number = where.rpartition(":")
    return (_address(host, text) if host else None), _port(number, text, LOOKS_EXPORT)


def _address(words: str, text: str) -> IpAddress:
    bare = words[1:-1] if words.startswith("[") and words.endswith("]") else words
    try:
        address = ip_address(bare)
    except ValueError:
        raise BadRequest(f"{text!r}: {words!r} is not an IP address; {LOOKS_SERVICE}") from None
    if address.version == 6 and bare == words:
        raise BadRequest(f"{text!r}: an IPv6 address stands in brackets; {LOOKS_SERVICE}")
    return address


def _port(words: str, text: str, looks: str) -> int:
    if not words.isascii() or not words.isdigit() or not 1 <= int(words) <= MAX_PORT:
        raise BadRequest(f"{text!r}: {words!r} is not a port from 1 to {MAX_PORT}; {looks}")
    return int(words)
