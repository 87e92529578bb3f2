"""Types for things that look alike, and how they are read from text. Pure."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import NewType

from ovsnet.model.errors import BadRequest

NetworkId = NewType("NetworkId", str)
"""Docker's id of a network: 64 hex digits, or 25 letters and digits for swarm networks. Compare, never parse."""
EndpointId = NewType("EndpointId", str)
"""Docker's id of an endpoint: 64 hex digits, new at every container start."""
SharedId = NewType("SharedId", str)
"""Our id of a network of the cluster: Docker's id of it on the host where it was made."""
HostName = NewType("HostName", str)
"""A member of the cluster, by the name in its certificate."""
PoolId = NewType("PoolId", str)
"""Our id of an address pool, computable from space, subnet and range (see `pool_id`)."""
Vni = NewType("Vni", int)
"""A network's number on the switch and in the tunnel: 1 … 2**24 - 1 (RFC 7348)."""
Vlan = NewType("Vlan", int)
"""An 802.1Q VLAN id: 1 … 4094; 0 means untagged."""
Ofport = NewType("Ofport", int)
"""An OpenFlow port number as ovs-vswitchd assigned it: 1 … 65279."""
Mac = NewType("Mac", str)
"""A unicast MAC address, lower case, colon separated."""

IpAddress = IPv4Address | IPv6Address
IpInterface = IPv4Interface | IPv6Interface
IpNetwork = IPv4Network | IPv6Network

KEPT = 1 << 14
"""Addresses that `interned` remembers: more than a cluster has hosts."""

UNTAGGED = Vlan(0)
NOT_SHARED = SharedId("")
NO_HOST = HostName("")
MAX_VNI = 2**24 - 2
"""The largest number of a network."""
PATH_VNI = Vni(MAX_VNI + 1)
"""No network's: by it hosts ask each other whether packets get through."""
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def parse_mac(text: str) -> Mac:
    """A unicast MAC in lower case; BadRequest for anything else (RFC 7042 2.1)."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise BadRequest(f"MAC address {text!r} is not six hexadecimal octets; write it like 0a:1b:2c:3d:4e:5f")
    if int(mac[:2], 16) & 1:
        raise BadRequest(
            f"MAC address {text} is a multicast address; an interface needs a unicast one (first octet even)"
        )
    if mac == "00:00:00:00:00:00":
        raise BadRequest("MAC address 00:00:00:00:00:00 cannot be given to an interface; choose another one")
    return Mac(mac)


def parse_vlan(text: str) -> Vlan:
    """A VLAN id from 1 to 4094; 4095 and 0 are reserved (IEEE 802.1Q)."""
    if not text.strip().isascii() or not text.strip().isdigit() or not 1 <= int(text) <= 4094:
        raise BadRequest(f"vlan={text!r} is not a VLAN id; use a whole number from 1 to 4094")
    return Vlan(int(text))


def short(identifier: str) -> str:
    """The twelve characters by which Docker shows an id."""
    return identifier[:12]


def pool_id(space: str, subnet: IpNetwork, sub_range: IpNetwork | None) -> PoolId:
    """The same three values always give the same id, so that it can be found again after a loss of state."""
    return PoolId(f"{space}|{subnet}|{sub_range or ''}")


def is_reachable(address: IpAddress) -> bool:
    """False for what is no address of a host, or none that other hosts could reach."""
    useless = address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local
    return not useless


@lru_cache(maxsize=KEPT)
def interned(address: IpAddress) -> IpAddress:
    """The very same object for equal addresses: a tunnel's end stands beside each of thousands of endpoints, and things
    that are the same need not be compared.
    """
    return address
