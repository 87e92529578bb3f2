"""Routes and rules of an attached interface, and the words for them: those of ip-route(8) and ip-rule(8). Pure."""

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from ovsnet.model.errors import BadRequest
from ovsnet.model.host import EVERY_BIT, LAST_PRIORITY, Route, Rule
from ovsnet.model.ids import IpAddress, IpNetwork

TABLES = {"main": 254, "default": 253}
BUILT_IN = 255
"""The kernel's own table `local`, and the largest number of one that has a name."""
MOST = (1 << 32) - 1
ALL = "all"
EVERYTHING = {"default": 0, "0.0.0.0/0": 4, "::/0": 6}
"""Words for it, and the IP version each has; 0: either."""
_NAMES = {"lookup": "table", "pref": "priority", "preference": "priority", "order": "priority"}
"""What ip-rule(8) takes for the same word."""
_WORDS = ("from", "to", "iif", "fwmark", "table", "priority")
_IFNAME = re.compile(r"[^\s/:%]{1,15}")


def parse_route(text: str) -> Route:
    """`CIDR[@GW] [table N]`; a default route in a table only."""
    what = f"--route {text!r}"
    where, *rest = text.split() or [""]
    if len(rest) not in (0, 2) or (rest and _NAMES.get(rest[0], rest[0]) != "table"):
        raise BadRequest(f"{what} cannot be understood; write it like 10.9.0.0/16@192.0.2.1 or '… table 100'")
    table = _table(what, rest[1]) if rest else 0
    destination, at, gateway = where.partition("@")
    hop = parse_gateway(what, gateway) if at else None
    try:
        everything = "::/0" if hop is not None and hop.version == 6 else "0.0.0.0/0"
        network = ip_network(everything if destination == "default" else destination)
    except ValueError as error:
        raise BadRequest(f"{what}: {error}") from None
    if hop is not None and hop.version != network.version:
        raise BadRequest(f"{what}: destination and gateway are of different families")
    if not network.prefixlen and not table:
        raise BadRequest(f"{what}: a default route is given with the address, like --ip 192.0.2.7/24@192.0.2.1")
    return Route(network, hop, table)


def parse_default(text: str) -> IpAddress | None:
    """The gateway of `default@GW`, the default route that goes with the addresses; None for any other route."""
    destination, at, gateway = text.partition("@")
    if destination not in EVERYTHING or " " in gateway:
        return None
    hop = parse_gateway(f"route {text}", gateway) if at else None
    if hop is None:
        raise BadRequest(f"route {text}: say by which gateway, like default@192.0.2.1")
    if EVERYTHING[destination] not in (0, hop.version):
        raise BadRequest(f"route {text}: destination and gateway are of different families")
    return hop


def parse_gateway(what: str, text: str) -> IpAddress:
    """An address that can be a gateway; `what` begins the complaint about another one."""
    try:
        gateway = ip_address(text)
    except ValueError:
        raise BadRequest(f"{what}: {text!r} is not the address of a gateway") from None
    if gateway.is_unspecified or gateway.is_multicast or gateway.is_loopback:
        raise BadRequest(f"{what}: {gateway} cannot be a gateway")
    return gateway


def route_words(route: Route) -> str:
    """What `parse_route` reads."""
    way = str(route.destination) if route.gateway is None else f"{route.destination}@{route.gateway}"
    return f"{way} table {route.table}" if route.table else way


def parse_rule(text: str) -> Rule:
    """`[from CIDR] [to CIDR] [iif NAME] [fwmark MARK[/MASK]] table N [priority N]`, as ip-rule(8) has it.

    It is for IPv6 where a network in it is one of IPv6, like `from ::/0`.
    """
    what = f"--rule {text!r}"
    said = _said(what, text.split())
    if "table" not in said:
        raise BadRequest(f"{what}: say by which table, like 'from 10.1.0.0/24 table 100'")
    source, destination = _network(what, said.get("from", ALL)), _network(what, said.get("to", ALL))
    versions = {it.version for it in (source, destination) if it is not None}
    if len(versions) > 1:
        raise BadRequest(f"{what}: its networks are of different families")
    mark, mask = _mark(what, said["fwmark"]) if "fwmark" in said else (0, EVERY_BIT)
    priority = _number(what, said.get("priority", str(LAST_PRIORITY)))
    if not 1 <= priority <= LAST_PRIORITY:
        raise BadRequest(f"{what}: a priority is from 1 to {LAST_PRIORITY}")
    if not _IFNAME.fullmatch(said.get("iif", "lo")):
        raise BadRequest(f"{what}: {said['iif']!r} cannot be an interface's name")
    return Rule(
        version=max(versions, default=4),
        table=_table(what, said["table"]),
        source=_some(source),
        destination=_some(destination),
        iif=said.get("iif", ""),
        mark=mark,
        mask=mask,
        priority=priority,
    )


def rule_words(rule: Rule) -> str:
    """What `parse_rule` reads, with all that matters and no more."""
    return " ".join(_rule_words(rule))


def _rule_words(rule: Rule) -> Iterable[str]:
    everything = "::/0" if rule.version == 6 else ALL
    yield f"from {rule.source or everything}"
    if rule.destination is not None:
        yield f"to {rule.destination}"
    if rule.iif:
        yield f"iif {rule.iif}"
    if rule.mark:
        yield f"fwmark {rule.mark:#x}" + ("" if rule.mask == EVERY_BIT else f"/{rule.mask:#x}")
    yield f"table {rule.table}"
    if rule.priority != LAST_PRIORITY:
        yield f"priority {rule.priority}"


def _said(what: str, words: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    if len(words) % 2:
        raise BadRequest(f"{what}: {words[-1]!r} has no value")
    for name, value in zip(words[::2], words[1::2], strict=True):
        word = _NAMES.get(name, name)
        if word not in _WORDS:
            raise BadRequest(f"{what}: {name!r} is not known; known are: {', '.join(_WORDS)}")
        if word in said:
            raise BadRequest(f"{what}: {word} is given twice")
        said[word] = value
    return said


def _network(what: str, text: str) -> IpNetwork | None:
    if text == ALL:
        return None
    try:
        return ip_network(text)
    except ValueError as error:
        raise BadRequest(f"{what}: {error}") from None


def _some(network: IpNetwork | None) -> IpNetwork | None:
    """None for what is every address: the kernel knows no such match."""
    return network if network is not None and network.prefixlen else None


def _mark(what: str, text: str) -> tuple[int, int]:
    mark, slash, mask = text.partition("/")
    found = _number(what, mark), _number(what, mask) if slash else EVERY_BIT
    if not found[0]:
        raise BadRequest(f"{what}: the mark 0 is that of every packet that has none")
    return found


def _table(what: str, text: str) -> int:
    table = TABLES.get(text) or _number(what, text)
    if not 1 <= table <= MOST or table == BUILT_IN:
        raise BadRequest(f"{what}: a table is a number from 1 to {MOST}, but {BUILT_IN}, which is the kernel's own")
    return table


def _number(what: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST:
        raise BadRequest(f"{what}: {text!r} is not a number it could have")
    return number
