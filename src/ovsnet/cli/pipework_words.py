"""What a `pipework` command line means as an order to the agent. Pure: how the host looks is an argument.

    pipework [--direct-phys] HOSTINTERFACE [-i IFNAME] [-l HOSTNAME] [-a FAMILY] GUEST ADDRESS [MAC][@VLAN]

Where pipework makes a Linux bridge, this makes one of Open vSwitch, and on a NIC that is an uplink a port instead of a
macvlan. What has no counterpart is refused by its name.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_interface, ip_network

from msgspec.structs import replace

from ovsnet.api.attach_orders import AttachOrder, RouteOrder, RuleOrder, SetOrder
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
    UPLINK = auto()
    """A NIC that is in a bridge of Open vSwitch, by `ovsnet uplink add`."""
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
    """Have a route or a rule inside, or have it no more; `verb` is add or del."""

    verb: str
    order: RouteOrder | RuleOrder


Meaning = AttachOrder | ChangeRoute | SetOrder | WaitHere | Syntax


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
    if line.interface in COMMANDS and kind_of(line.interface) is Kind.ABSENT:
        return COMMANDS[line.interface](line.rest[0], line.rest[1:])
    guest, address, *more = line.rest
    place = _place(_found(line.interface, name_of), kind_of, direct=direct)
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
DEFAULT = "default"
VERBS = {"add": "add", "del": "del", "delete": "del"}
DEFAULT_VERBS = {**VERBS, "replace": "add"}
"""Of a default route, which takes the place of the one there is."""
DUMMY = "dummy"


def _place(interface: str, kind_of: Callable[[str], Kind], *, direct: bool) -> AttachOrder:
    """Where the guest's interface goes: to a bridge, to a NIC, nowhere; with `direct` it is the NIC itself."""
    kind = kind_of(interface)
    if kind in REFUSED:
        raise BadRequest(f"{interface} {REFUSED[kind]}")
    if kind in (Kind.NIC, Kind.UPLINK) and direct:
        return AttachOrder(target="", nic=interface)
    if kind is Kind.NIC:
        return AttachOrder(target="", macvlan=interface)
    if kind is Kind.UPLINK:
        return AttachOrder(target="", uplink=interface)
    if kind is Kind.OVS_BRIDGE or interface.startswith(("br", "ovs")):
        return AttachOrder(target="", bridge=interface)
    if interface == DUMMY:
        return AttachOrder(target="", dummy=True)
    raise BadRequest(f"I do not know how to setup interface {interface}.")


def _route(guest: str, words: Sequence[str]) -> ChangeRoute:
    """Of `ip route` what can be remembered: `add` and `del` with `via`, `dev` and `table`, and `replace default`."""
    verb, destination, *rest = [*words, ""] if len(words) < 2 else words
    ways = dict(zip(rest[::2], rest[1::2], strict=False))
    verbs = DEFAULT_VERBS if destination == DEFAULT else VERBS
    if verb not in verbs or not destination or len(rest) % 2 or not ways.keys() <= {"via", "dev", "table"}:
        said = " ".join(words)
        raise BadRequest(
            f"route {said!r} is not supported: only 'add' and 'del' NETWORK [via GATEWAY] [dev INTERFACE] [table N]"
        )
    try:
        network = DEFAULT if destination == DEFAULT else str(ip_network(destination, strict=False))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    route = f"{network}@{ways['via']}" if "via" in ways else network
    route += f" table {ways['table']}" if "table" in ways else ""
    return ChangeRoute(verbs[verb], RouteOrder(target=guest, ifname=ways.get("dev", ""), route=route))


def _rule(guest: str, words: Sequence[str]) -> ChangeRoute:
    """Of `ip rule` the commands `add` and `del`."""
    verb, *rule = words or [""]
    if verb not in VERBS or not rule:
        raise BadRequest(f"rule {' '.join(words)!r} is not supported: only 'add' and 'del' RULE")
    return ChangeRoute(VERBS[verb], RuleOrder(target=guest, rule=" ".join(rule)))


def _traffic(guest: str, words: Sequence[str]) -> SetOrder:
    """Of `tc` what can be remembered of an attached interface: to lose and to delay what it sends, and to stop that."""
    said = f"tc {' '.join(words)!r} is not supported: only 'qdisc add|change|replace dev INTERFACE root netem"
    said += " [loss PERCENT] [delay TIME [JITTER]]' and 'qdisc del dev INTERFACE root'"
    match [*words]:
        case ["qdisc", "add" | "change" | "replace", "dev", ifname, "root", "netem", *how] if how:
            found = _impairments(how, said)
            return SetOrder(target=guest, ifname=ifname, loss=found.get("loss", ""), delay=found.get("delay", ""))
        case ["qdisc", "del" | "delete", "dev", ifname, "root", *_]:
            return SetOrder(target=guest, ifname=ifname, loss="0", delay="0")
    raise BadRequest(said)


def _impairments(words: Sequence[str], complaint: str) -> dict[str, str]:
    """The words of netem, by what they are about."""
    found: dict[str, list[str]] = {}
    about = ""
    for word in words:
        if word in ("loss", "delay"):
            about = word
            found[about] = []
        elif about:
            found[about].append(word)
        else:
            raise BadRequest(complaint)
    return {option: " ".join(values) for option, values in found.items()}


COMMANDS: Mapping[str, Callable[[str, Sequence[str]], Meaning]] = {"route": _route, "rule": _rule, "tc": _traffic}
"""The words in place of an interface that change something inside; the others are commands of the guest's."""


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
    if vlan and order.macvlan:
        raise BadRequest(
            f"a VLAN of {order.macvlan} can be had when it is an uplink: 'ovsnet uplink add {order.macvlan}' makes "
            "it one"
        )
    return replace(order, mac=mac, vlan=vlan.partition("@")[0])


def mac_of(text: str) -> str:
    """The MAC pipework makes of a text: always the same one, locally administered."""
    # With a newline behind it, because pipework lets a shell's `echo` say it.
    digest = hashlib.md5(f"{text}\n".encode(), usedforsecurity=False).hexdigest()
    return ":".join(("02", *(digest[it : it + 2] for it in range(0, 10, 2))))
