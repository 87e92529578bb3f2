"""What the words of an `ovsnet attach` mean: the one place that reads them. Pure."""

import hashlib
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from ovsnet.model.attachment import Tagging, TargetKind
from ovsnet.model.errors import BadRequest
from ovsnet.model.host import Route
from ovsnet.model.ids import UNTAGGED, IpAddress, IpInterface, Mac, Vlan, parse_mac, parse_vlan
from ovsnet.model.lease import families_of
from ovsnet.model.network import CONTAINER_PORTS, MAX_MTU, MIN_IPV6_MTU, MIN_MTU, PortKind
from ovsnet.model.wishes import WORDS, Wish

LONGEST_NAME = 15
"""Characters of an interface's name (IFNAMSIZ - 1)."""
_NAME = re.compile(r"[^\s/:%\x00-\x1f\x7f]+")
AUTO = "auto:"


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """One `CIDR[@GW]`; `prefix` is None where only an address was given: then it is that of the network."""

    ip: IpAddress
    prefix: int | None = None

    def on(self, prefix: int) -> IpInterface:
        """The address with its own prefix length, or else with this one."""
        return ip_interface((self.ip, prefix if self.prefix is None else self.prefix))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A wish that makes sense by itself. `name` is the target's: a container's name, id or Compose service, a
    process's number, a namespace's name or path. None and "" stand for what was not said.
    """

    kind: TargetKind
    name: str
    network: str = ""
    bridge: str = ""
    uplink: str = ""
    ifname: str = ""
    addresses: tuple[AskedAddress, ...] = ()
    gateways: tuple[IpAddress, ...] = ()
    mac: Mac | None = None
    vlan: Vlan = UNTAGGED
    tagging: Tagging = Tagging.ACCESS
    trunks: tuple[Vlan, ...] = ()
    mtu: int | None = None
    routes: tuple[Route, ...] = ()
    dhcp: tuple[int, ...] = ()
    slaac: bool = False
    port: PortKind | None = None
    host_ifname: str = ""
    text: Wish = field(default=Wish(target=""), compare=False)


def parse_wish(wish: Wish) -> Wanted:
    """All of it, or BadRequest that names the bad part."""
    _refuse_later(wish)
    kind, name = parse_target(wish.target)
    _one_place(wish)
    addresses, gateways = _addresses(wish)
    vlan, tagging, trunks = _tagging(wish)
    mtu, dhcp = _mtu(wish.mtu), families_of(wish.dhcp)
    with_ipv6 = wish.slaac or 6 in dhcp or any(it.ip.version == 6 for it in addresses)
    if mtu is not None and mtu < MIN_IPV6_MTU and with_ipv6:
        raise BadRequest(f"--mtu {mtu} is too small for IPv6; use at least {MIN_IPV6_MTU}")
    return Wanted(
        kind=kind,
        name=name,
        network=wish.network,
        bridge=_bridge(wish.bridge),
        uplink=interface_name("--uplink", wish.uplink),
        ifname=interface_name("--ifname", wish.ifname),
        addresses=addresses,
        gateways=gateways,
        mac=parse_wished_mac(wish.mac) if wish.mac else None,
        vlan=vlan,
        tagging=tagging,
        trunks=trunks,
        mtu=mtu,
        routes=tuple(parse_route(it) for it in wish.routes),
        dhcp=dhcp,
        slaac=wish.slaac,
        port=_port(wish.port),
        host_ifname=interface_name("--host-ifname", wish.host_ifname),
        text=wish,
    )


def parse_target(text: str) -> tuple[TargetKind, str]:
    """`pid:N`, `netns:NAME|PATH`, or a container."""
    kind, colon, rest = text.partition(":")
    if not text or (colon and not rest):
        raise BadRequest(f"{text!r} names no target; give a container, pid:NUMBER, netns:NAME or netns:PATH")
    if not colon:
        return TargetKind.CONTAINER, text
    if kind == TargetKind.PID:
        if not rest.isascii() or not rest.isdigit() or int(rest) < 1:
            raise BadRequest(f"target {text!r}: {rest!r} is not the number of a process")
        return TargetKind.PID, str(int(rest))
    if kind == TargetKind.NETNS:
        if rest in (".", "..") or ("/" in rest and not rest.startswith("/")):
            raise BadRequest(f"target {text!r}: {rest!r} is neither a name as 'ip netns' has it nor an absolute path")
        return TargetKind.NETNS, rest
    if kind == TargetKind.CONTAINER:
        return TargetKind.CONTAINER, rest
    raise BadRequest(f"target {text!r}: {kind!r} is no kind of target; known are container, pid and netns")


def parse_wished_mac(text: str) -> Mac:
    """A unicast MAC, or for `auto:TEXT` one that is made of the text.

    02 and the first five octets of the MD5 of the text and a newline, as pipework makes it of `U:TEXT`: locally
    administered (RFC 7042 2.1), and known in networks that pipework was used in. It stays so for ever.
    """
    if not text.startswith(AUTO):
        return parse_mac(text)
    seed = text.removeprefix(AUTO)
    if not seed:
        raise BadRequest(f"--mac {text}: say of what text it shall be made, like auto:web1")
    digest = hashlib.md5(f"{seed}\n".encode(), usedforsecurity=False).digest()
    return Mac(bytes([0x02, *digest[:5]]).hex(":"))


def interface_name(option: str, text: str) -> str:
    """A name the kernel takes; never cut, so that no two become one."""
    if not text:
        return ""
    if len(text.encode()) > LONGEST_NAME:
        raise BadRequest(f"{option} {text!r} has more than {LONGEST_NAME} characters, which no interface's name has")
    if not _NAME.fullmatch(text) or text in (".", "..", "lo", "all", "default"):
        raise BadRequest(f"{option} {text!r} cannot be an interface's name; use letters, digits, '-', '_' and '.'")
    return text


def parse_route(text: str) -> Route:
    """`CIDR[@GW]`."""
    destination, at, gateway = text.partition("@")
    try:
        network = ip_network("0.0.0.0/0" if destination == "default" else destination)
    except ValueError as error:
        raise BadRequest(f"--route {text!r}: {error}") from None
    hop = _gateway(f"--route {text!r}", gateway) if at else None
    if hop is not None and hop.version != network.version:
        raise BadRequest(f"--route {text!r}: destination and gateway are of different families")
    if not network.prefixlen:
        raise BadRequest(
            f"--route {text!r}: a default route is given with the address, like --ip 192.0.2.7/24@192.0.2.1"
        )
    return Route(network, hop)


# ------------------------------------------------------------------ the parts


def _refuse_later(wish: Wish) -> None:
    said = [option for option, word in WORDS.items() if word.later and getattr(wish, word.field)]
    if said:
        raise BadRequest(f"{', '.join(said)}: not supported yet by this version of ovsnet; leave it out")


def _one_place(wish: Wish) -> None:
    if sum(map(bool, (wish.network, wish.bridge, wish.uplink))) != 1:
        raise BadRequest("say where it shall be: --network NET, --bridge BR or --uplink NIC, and one of them only")
    only_on_bridges = {
        "--trunk": wish.trunk,
        "--native": wish.native,
        "--qinq": wish.qinq,
        "--port": wish.port,
        "--dhcp": wish.dhcp,
        "--slaac": wish.slaac,
    }
    wrong = [option for option, value in only_on_bridges.items() if value]
    if wish.network and wrong:
        raise BadRequest(
            f"{', '.join(wrong)}: only with --bridge or --uplink; on a network that is the network's to say"
        )


def _bridge(text: str) -> str:
    if text and (not _NAME.fullmatch(text) or len(text.encode()) > LONGEST_NAME):
        raise BadRequest(f"--bridge {text!r} cannot be a bridge's name: up to {LONGEST_NAME} characters, no '/' or ':'")
    return text


def _addresses(wish: Wish) -> tuple[tuple[AskedAddress, ...], tuple[IpAddress, ...]]:
    addresses: list[AskedAddress] = []
    gateways: dict[int, IpAddress] = {}
    for text in wish.addresses:
        address, at, gateway = text.partition("@")
        asked = _address(text, address, on_bridge=not wish.network)
        if any(it.ip == asked.ip for it in addresses):
            raise BadRequest(f"--ip {text}: {asked.ip} is given twice")
        addresses.append(asked)
        if not at:
            continue
        hop = _gateway(f"--ip {text}", gateway)
        if hop.version != asked.ip.version:
            raise BadRequest(f"--ip {text}: address and gateway are of different families")
        if hop == asked.ip:
            raise BadRequest(f"--ip {text}: an interface cannot be its own gateway")
        if gateways.setdefault(hop.version, hop) != hop:
            raise BadRequest(f"--ip {text}: {gateways[hop.version]} is the default gateway of this family already")
    return tuple(addresses), tuple(gateways.values())


def _address(text: str, address: str, *, on_bridge: bool) -> AskedAddress:
    try:
        if "/" not in address and not on_bridge:
            return AskedAddress(_usable(text, ip_address(address)))
        interface = ip_interface(address)
    except ValueError as error:
        raise BadRequest(f"--ip {text!r}: {error}") from None
    if "/" not in address:
        full = "24" if interface.version == 4 else "64"
        raise BadRequest(f"--ip {text}: its prefix length is missing; perhaps {address}/{full}?")
    _refuse_edges(text, interface)
    return AskedAddress(_usable(text, interface.ip), interface.network.prefixlen)


def _usable(text: str, address: IpAddress) -> IpAddress:
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise BadRequest(f"--ip {text}: {address} is no address of an interface")
    return address


def _refuse_edges(text: str, interface: IPv4Interface | IPv6Interface) -> None:
    network = interface.network
    edges = (network.network_address, network.broadcast_address)
    if network.version == 4 and network.prefixlen < 31 and interface.ip in edges:
        raise BadRequest(f"--ip {text}: {interface.ip} is the network or broadcast address of {network}")


def _gateway(what: str, text: str) -> IpAddress:
    try:
        gateway = ip_address(text)
    except ValueError:
        raise BadRequest(f"{what}: {text!r} is not the address of a gateway") from None
    if gateway.is_unspecified or gateway.is_multicast or gateway.is_loopback:
        raise BadRequest(f"{what}: {gateway} cannot be a gateway")
    return gateway


def _tagging(wish: Wish) -> tuple[Vlan, Tagging, tuple[Vlan, ...]]:
    vlan = _vlan("--vlan", wish.vlan) if wish.vlan else UNTAGGED
    if wish.native and not wish.trunk:
        raise BadRequest("--native: only with --trunk; a port in one VLAN is made with --vlan")
    if wish.trunk and (vlan or wish.qinq):
        raise BadRequest("--trunk goes neither with --vlan nor with --qinq; frames without a tag: --native ID")
    if wish.qinq:
        if not vlan:
            raise BadRequest("--qinq needs the VLAN of the outer tag: --vlan ID")
        return vlan, Tagging.QINQ, ()
    if wish.trunk:
        native = _vlan("--native", wish.native) if wish.native else UNTAGGED
        return native, Tagging.NATIVE if native else Tagging.TRUNK, _vlans(wish.trunk)
    return vlan, Tagging.ACCESS, ()


def _vlan(option: str, text: str) -> Vlan:
    try:
        return parse_vlan(text)
    except BadRequest:
        raise BadRequest(f"{option} {text!r} is not a VLAN id; use a whole number from 1 to 4094") from None


def _vlans(text: str) -> tuple[Vlan, ...]:
    found: set[Vlan] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low = _vlan("--trunk", first)
        high = _vlan("--trunk", last) if dash else low
        if high < low:
            raise BadRequest(f"--trunk {text!r}: {part} ends before it begins")
        found.update(Vlan(it) for it in range(low, high + 1))
    return tuple(sorted(found))


def _mtu(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not MIN_MTU <= int(text) <= MAX_MTU:
        raise BadRequest(f"--mtu {text!r} is not an MTU; use a whole number of bytes from {MIN_MTU} to {MAX_MTU}")
    return int(text)


def _port(text: str) -> PortKind | None:
    if text and text not in CONTAINER_PORTS:
        raise BadRequest(f"--port {text!r} is not known; use one of: {', '.join(CONTAINER_PORTS)}")
    return PortKind(text) if text else None
