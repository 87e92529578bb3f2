"""Ports of this host that lead to a container (`docker run -p`). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import IpAddress

ANY: Final[tuple[IpAddress, ...]] = (IPv4Address(0), IPv6Address(0))
"""In place of an address of the host: all that it has of one IP version, as `bind` means it."""
MAX_PORT = 65535


class Transport(StrEnum):
    """What has ports."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


@dataclass(frozen=True, slots=True)
class PortWish:
    """What one `-p` asks for: `host` is None for all addresses of the host, `first` is 0 for any free port, and of
    `first` to `last` one is chosen.
    """

    transport: Transport
    host: IpAddress | None
    first: int
    last: int
    port: int

    @property
    def title(self) -> str:
        """As people write it."""
        span = f"{self.first}-{self.last}" if self.first < self.last else str(self.first or "any port")
        return f"{'' if self.host is None else bracketed(self.host) + ':'}{span}/{self.transport}"


@dataclass(frozen=True, slots=True)
class Publication:
    """`host_port` of the host's address `host` leads to `port` of the container, for one IP version."""

    transport: Transport
    host: IpAddress
    host_port: int
    port: int

    @property
    def version(self) -> int:
        """The IP version."""
        return self.host.version

    @property
    def title(self) -> str:
        """The host's side, as people write it."""
        return f"{bracketed(self.host)}:{self.host_port}/{self.transport}"

    def collides(self, other: "Publication") -> bool:
        """True when one packet could be for both."""
        if (self.transport, self.host_port, self.version) != (other.transport, other.host_port, other.version):
            return False
        return self.host == other.host or self.host.is_unspecified or other.host.is_unspecified


def publications(wish: PortWish, host_port: int, versions: Iterable[int]) -> tuple[Publication, ...]:
    """What the wish comes to with this port of the host, for a container with addresses of these IP versions."""
    hosts = [it for it in ANY if it.version in versions] if wish.host is None else [wish.host]
    return tuple(Publication(wish.transport, it, host_port, wish.port) for it in hosts)


def check_wish(wish: PortWish, versions: Sequence[int]) -> None:
    """BadRequest for a wish that a container with addresses of these IP versions cannot have."""
    if not 1 <= wish.port <= MAX_PORT or not 0 <= wish.first <= wish.last <= MAX_PORT:
        raise BadRequest(f"port {wish.title} to {wish.port} is not in the range of ports, 1 to {MAX_PORT}")
    if wish.host is not None:
        check_host(wish.host)
    if wish.host is not None and wish.host.version not in versions:
        raise BadRequest(
            f"port {wish.title} cannot lead to a container without an IPv{wish.host.version} address; leave the "
            f"address out of -p, or give the network a subnet of IPv{wish.host.version}"
        )


def check_host(address: IpAddress) -> None:
    """BadRequest for an address of the host that cannot lead anywhere."""
    if address.version == 6 and (address.is_loopback or address.is_link_local):
        raise BadRequest(
            f"{bracketed(address)} of this host cannot lead to a container: Linux forwards nothing from there; use "
            "127.0.0.1, or another address of this host"
        )


def bracketed(address: IpAddress) -> str:
    """An address before a port."""
    return f"[{address}]" if address.version == 6 else str(address)
