"""What a `pipework` command line means as an order to the agent. Pure: how the host looks is an argument.

    pipework [--direct-phys] HOSTINTERFACE [-i IFNAME] [-l HOSTNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]

Everything becomes an Open vSwitch port: where pipework makes a Linux bridge or a macvlan, this makes a bridge or an
uplink of ours. What has no such counterpart is refused by its name.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_interface, ip_network

from msgspec.structs import replace

from ovsnet.api.attach_orders import AttachOrder, RouteOrder
from ovsnet.model.errors import BadRequest

USUAL_IFNAME = "eth1"
NO_ADDRESS = "0/0"
CLIENTS = frozenset({"dhcp", "dhclient", "dhclient-f", "udhcpc", "udhcpc-f", "dhcpcd"})
"""Whichever is named, ours asks: it stays and renews, as the ones with -f do."""
STAY = frozenset({"", "-f"})
"""What may follow a client's name: that it shall stay."""
SYNTAX = """\
Syntax:
pipework <hostinterface> [-i containerinterface] [-l localinterfacename] [-a addressfamily] \
<guest> <ipaddr>/<subnet>[@default_gateway] [macaddr][@vlan]
pipework <hostinterface> [-i containerinterface] [-l localinterfacename] <guest> dhcp [macaddr][@vlan]
pipework mac:<hostinterface_macaddress> [-i containerinterface] [-l localinterfacename] [-a addressfamily] \
<guest> <ipaddr>/<subnet>[@default_gateway] [macaddr][@vlan]
pipework route <guest> <route_command>
pipework rule <guest> <rule_command>
pipework tc <guest> <tc_command>
pipework --wait [-i containerinterface]"""


class Kind(Enum):
    """What an interface of the host is."""

    ABSENT = auto()
    OVS_BRIDGE = auto()
    LINUX_BRIDGE = auto()
    NIC = auto()
    WIRELESS = auto()
    IPOIB = auto()


@dataclass(frozen=True, slots=True)
class Syntax:
    """Too few words: how it is used shall be shown."""


@dataclass(frozen=True, slots=True)
class WaitHere:
    """Wait until the interface of that name, where the command runs, has a carrier."""

    ifname: str


@dataclass(frozen=True, slots=True)
class ChangeRoute:
    """Have a route inside, or have it no more; `verb` is add or del."""

    verb: str
    order: RouteOrder


Meaning = AttachOrder | ChangeRoute | WaitHere | Syntax


@dataclass(frozen=True, slots=True)
class _Line:
    """The words by what they are."""

    interface: str
    ifname: str
    host_ifname: str
    family: str
    rest: tuple[str, ...]


def read(words: Sequence[str], kind_of: Callable[[str], Kind], name_of: Callable[[str], str]) -> Meaning:
    """What is to be done; BadRequest says what cannot be.

    `kind_of` tells what an interface of the host is, `name_of` the name of the one with that MAC, "" for none.
    """
    first = words[0] if words else ""
    if first == "--wait":
        return WaitHere(_line("", words[1:]).ifname or USUAL_IFNAME)
    direct = first == "--direct-phys"
    interface, rest = ([*words, ""][direct], words[1 + direct :])
    line = _line(interface, rest)
    if len(line.rest) < 2 or not line.rest[1]:
        return Syntax()
    if direct:
        raise BadRequest("--direct-phys, which moves a NIC into the guest, is not supported yet by this version")
    if line.interface == ROUTE and kind_of(ROUTE) is Kind.ABSENT:
        return _route(line.rest[0], line.rest[1:])
    guest, address, *more = line.rest
    place = _place(_found(line.interface, name_of), kind_of)
    order = replace(place, target=guest, ifname=line.ifname or USUAL_IFNAME, host_ifname=line.host_ifname)
    return _with_mac(_with_address(order, address, line.family), more[0] if more else "")


def _line(interface: str, words: Sequence[str]) -> _Line:
    """Options stand behind the interface of the host and before all else."""
    queue = list(words)
    found = {"-i": "", "-l": "", "-a": ""}
    while len(queue) > 1 and queue[0] in found:
        name = queue.pop(0)
        found[name] = queue.pop(0)
    return _Line(interface, found["-i"], found["-l"], found["-a"], tuple(queue))


def _found(interface: str, name_of: Callable[[str], str]) -> str:
    """The interface that is meant, which may be named by its MAC."""
    scheme, colon, mac = interface.partition(":")
    if not (scheme == "mac" and colon):
        return interface
    name = name_of(mac.lower())
    if not name:
        raise BadRequest(f"Mac address {mac} specified for interface but no host interface matched.")
    return name


REFUSED = {
    Kind.IPOIB: "is InfiniBand (IPoIB), which carries no Ethernet: not supported",
    Kind.WIRELESS: "is wireless, where an access point takes frames of one MAC only: not supported",
    Kind.LINUX_BRIDGE: (
        "is a Linux bridge, and only Open vSwitch bridges are used: name another one, which is made if it is not there"
    ),
}
ROUTE = "route"
VERBS = {"add": "add", "del": "del", "delete": "del"}
COMMANDS = {
    "rule": "rule, which runs 'ip rule' in the guest",
    "tc": "tc, which runs 'tc' in the guest",
    "dummy": "dummy, which is an interface without a network",
}


def _place(interface: str, kind_of: Callable[[str], Kind]) -> AttachOrder:
    """Where the guest's interface goes: a bridge, or a NIC."""
    kind = kind_of(interface)
    if kind in REFUSED:
        raise BadRequest(f"{interface} {REFUSED[kind]}")
    if kind is Kind.NIC:
        return AttachOrder(target="", uplink=interface)
    if kind is Kind.OVS_BRIDGE or interface.startswith(("br", "ovs")):
        return AttachOrder(target="", bridge=interface)
    for word, meaning in COMMANDS.items():
        if interface.startswith(word):
            raise BadRequest(f"{meaning}, is not supported yet by this version")
    raise BadRequest(f"I do not know how to setup interface {interface}.")


def _route(guest: str, words: Sequence[str]) -> ChangeRoute:
    """Of `ip route` the commands `add` and `del`, with a network, `via` and `dev`: what can be remembered."""
    verb, destination, *rest = [*words, ""] if len(words) < 2 else words
    ways = dict(zip(rest[::2], rest[1::2], strict=False))
    if verb not in VERBS or not destination or len(rest) % 2 or not ways.keys() <= {"via", "dev"}:
        said = " ".join(words)
        raise BadRequest(f"route {said!r} is not supported: only 'add' and 'del' NETWORK [via GATEWAY] [dev INTERFACE]")
    try:
        network = ip_network(destination, strict=False)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    route = f"{network}@{ways['via']}" if "via" in ways else str(network)
    return ChangeRoute(VERBS[verb], RouteOrder(target=guest, ifname=ways.get("dev", ""), route=route))


def _with_address(order: AttachOrder, address: str, family: str) -> AttachOrder:
    if address == NO_ADDRESS:
        return order
    client, _, arguments = address.partition(":")
    if client in CLIENTS:
        if arguments not in STAY:
            raise BadRequest(f"options of a DHCP client are not supported: {arguments!r}; write {client} alone")
        return replace(order, dhcp="v4")
    if "/" not in address:
        raise BadRequest(f"The IP address should include a netmask. Maybe you meant {address}/24 ?")
    _check_family(address, family or "4")
    return replace(order, addresses=(address,))


def _check_family(address: str, family: str) -> None:
    """IPv4 is meant where nothing is said."""
    if family not in ("4", "6"):
        raise BadRequest(f"-a {family} is no address family; 4 or 6")
    try:
        version = ip_interface(address.partition("@")[0]).version
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if str(version) != family:
        raise BadRequest(f"{address} is no address of family {family}; add -a {version}")


def _with_mac(order: AttachOrder, words: str) -> AttachOrder:
    mac, _, vlan = words.partition("@")
    if mac.startswith("U:"):
        mac = mac_of(mac.removeprefix("U:"))
    return replace(order, mac=mac, vlan=vlan.partition("@")[0])


def mac_of(text: str) -> str:
    """The MAC pipework makes of a text: always the same one, locally administered."""
    # With a newline behind it, because pipework lets a shell's `echo` say it.
    digest = hashlib.md5(f"{text}\n".encode(), usedforsecurity=False).hexdigest()
    return ":".join(("02", *(digest[it : it + 2] for it in range(0, 10, 2))))
