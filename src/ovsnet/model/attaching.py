"""What the words of an `ovsnet attach` mean: the one place that reads them. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from ovsnet.model.attachment import Tagging, TargetKind
from ovsnet.model.errors import BadRequest
from ovsnet.model.host import Medium, Route, Rule
from ovsnet.model.ids import UNTAGGED, IpAddress, IpInterface, Mac, Vlan, parse_mac, parse_vlan
from ovsnet.model.lease import families_of
from ovsnet.model.network import CONTAINER_PORTS, MAX_MTU, MIN_IPV6_MTU, MIN_MTU, PortKind
from ovsnet.model.routing import parse_gateway, parse_route, parse_rule
from ovsnet.model.shaping import UNSHAPED, Shape, parse_delay, parse_loss, parse_rate
from ovsnet.model.wishes import Wish

LONGEST_NAME = 15
"""Characters of an interface's name (IFNAMSIZ - 1)."""
_NAME = re.compile(r"[^\s/:%\x00-\x1f\x7f]+")
AUTO = "auto:"
MAC_PREFIX = "mac:"
"""Begins a NIC that is named by its MAC."""


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
    medium: Medium = Medium.PORT
    nic: str = ""
    ifname: str = ""
    addresses: tuple[AskedAddress, ...] = ()
    gateways: tuple[IpAddress, ...] = ()
    mac: Mac | None = None
    vlan: Vlan = UNTAGGED
    tagging: Tagging = Tagging.ACCESS
    trunks: tuple[Vlan, ...] = ()
    mtu: int | None = None
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    dhcp: tuple[int, ...] = ()
    slaac: bool = False
    shape: Shape = UNSHAPED
    says_rate: bool = False
    """Whether a rate was said, be it none."""
    port: PortKind | None = None
    host_ifname: str = ""


def parse_wish(wish: Wish) -> Wanted:
    """All of it, or BadRequest that names the bad part."""
    kind, name = parse_target(wish.target)
    _one_place(wish)
    medium, nic = _device(wish)
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
        medium=medium,
        nic=nic,
        ifname=interface_name("--ifname", wish.ifname),
        addresses=addresses,
        gateways=gateways,
        mac=parse_wished_mac(wish.mac) if wish.mac else None,
        vlan=vlan,
        tagging=tagging,
        trunks=trunks,
        mtu=mtu,
        routes=tuple(parse_route(it) for it in wish.routes),
        rules=tuple(dict.fromkeys(parse_rule(it) for it in wish.rules)),
        dhcp=dhcp,
        slaac=wish.slaac,
        shape=Shape(parse_rate(wish.rate), parse_loss(wish.loss), *parse_delay(wish.delay)),
        says_rate=bool(wish.rate),
        port=_port(wish.port),
        host_ifname=interface_name("--host-ifname", wish.host_ifname),
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


# ------------------------------------------------------------------ the parts


def _one_place(wish: Wish) -> None:
    places = (wish.network, wish.bridge, wish.uplink, wish.dummy, wish.nic, wish.macvlan, wish.ipvlan)
    if sum(map(bool, places)) != 1:
        raise BadRequest(
            "say where it shall be: --network NET, --bridge BR, --uplink NIC, --dummy, --nic NIC, --macvlan NIC or "
            "--ipvlan NIC, and one of them only"
        )
    only_on_bridges = {
        "--trunk": wish.trunk,
        "--native": wish.native,
        "--qinq": wish.qinq,
        "--port": wish.port,
        "--dhcp": wish.dhcp,
        "--slaac": wish.slaac,
    }
    if wish.network:
        _refuse("only with --bridge or --uplink; on a network that is the network's to say", only_on_bridges)


def _device(wish: Wish) -> tuple[Medium, str]:
    """What it is beside a port, and of which NIC."""
    said = {Medium.NIC: wish.nic, Medium.MACVLAN: wish.macvlan, Medium.IPVLAN: wish.ipvlan}
    found = next(((medium, nic) for medium, nic in said.items() if nic), None)
    medium, nic = found or (Medium.DUMMY if wish.dummy else Medium.PORT, "")
    if medium is Medium.PORT:
        return medium, ""
    here, nobody, not_its_own = f"--{medium}", medium is Medium.DUMMY, medium in (Medium.NIC, Medium.IPVLAN)
    _refuse(f"only for a port of Open vSwitch; not with {here}", _of_ports(wish))
    asks = {"--dhcp": nobody and wish.dhcp, "--slaac": nobody and wish.slaac}
    _refuse(f"not with {here}: nobody is there to ask", asks)
    _refuse(f"not with {here}, which has the NIC's MAC", {"--mac": not_its_own and wish.mac})
    _refuse(f"not with {here}: a server would see the NIC's MAC", {"--dhcp": medium is Medium.IPVLAN and wish.dhcp})
    _refuse("not with --nic, which keeps what it has", {"--mtu": medium is Medium.NIC and wish.mtu})
    if nic.startswith(MAC_PREFIX):
        return medium, f"{MAC_PREFIX}{parse_mac(nic.removeprefix(MAC_PREFIX))}"
    return medium, interface_name(here, nic)


def _of_ports(wish: Wish) -> dict[str, object]:
    return {
        "--vlan": wish.vlan,
        "--trunk": wish.trunk,
        "--native": wish.native,
        "--qinq": wish.qinq,
        "--port": wish.port,
        "--host-ifname": wish.host_ifname,
        "--rate": parse_rate(wish.rate),
    }


def _refuse(why: str, options: Mapping[str, object]) -> None:
    wrong = [option for option, value in options.items() if value]
    if wrong:
        raise BadRequest(f"{', '.join(wrong)}: {why}")


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
        hop = parse_gateway(f"--ip {text}", gateway)
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
