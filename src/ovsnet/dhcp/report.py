"""Reads what dhcpcd tells its hook: the environment, one variable a line; and writes down what came of it. Pure.

Only numbers and addresses are taken, each checked: a server on the LAN may send anything (dhcpcd-run-hooks(8)). What
cannot be read gives no lease, never half of one.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, ip_address, ip_interface, ip_network

from ovsnet.model.host import Route
from ovsnet.model.ids import IpInterface
from ovsnet.model.lease import NOTHING, Given, Lease, reachable

HELD = frozenset({"BOUND", "RENEW", "REBIND", "REBOOT"})
"""The reasons that come with a lease; the same with a 6 behind them for DHCPv6. All others that are told end one."""
DEFAULT = IPv4Network("0.0.0.0/0")
MOST_ADDRESSES = 8
"""Of DHCPv6, in one lease."""


def lease_of(report: str, told_at: float) -> Lease:
    """The lease a report tells of, `told_at` in seconds since the epoch; NOTHING when it says that there is none."""
    values = dict(line.split("=", 1) for line in report.splitlines() if "=" in line)
    reason = values.get("reason", "")
    with suppress(ValueError):
        if reason in HELD:
            return _version4(values, told_at)
        if reason.endswith("6") and reason[:-1] in HELD:
            return _version6(values, told_at)
    return NOTHING


def noted(given: Given) -> str:
    """The interface, its addresses and its routes, for `recalled`."""
    lines = [f"interface {given.index}"]
    lines += [f"address {it}" for it in given.lease.addresses]
    lines += [f"route {it.destination} {it.gateway or '-'}" for it in given.lease.routes]
    return "".join(f"{it}\n" for it in lines)


def recalled(text: str) -> Given:
    """That of which `noted` made the text; nothing for another text."""
    words = [it.split() for it in text.splitlines()]
    with suppress(ValueError, IndexError):
        lease = Lease(
            tuple(ip_interface(it[1]) for it in words if it[0] == "address"),
            tuple(
                Route(ip_network(it[1]), None if it[2] == "-" else ip_address(it[2]))
                for it in words
                if it[0] == "route"
            ),
        )
        return Given(int(words[0][1]), lease)
    return Given()


def _version4(values: Mapping[str, str], told_at: float) -> Lease:
    address = ip_interface(f"{values.get('new_ip_address', '')}/{values.get('new_subnet_cidr', '32')}")
    seconds = int(values.get("new_dhcp_lease_time", "0"))
    return Lease(
        (address,),
        reachable(_routes(values), (address,)),
        values.get("new_dhcp_server_identifier", ""),
        told_at + seconds,
    )


def _routes(values: Mapping[str, str]) -> Iterator[Route]:
    """A server's list of routes, or else the way over its first router: whoever sends the list means it (RFC 3442)."""
    words = values.get("new_classless_static_routes", "").split()
    for destination, gateway in zip(words[::2], words[1::2], strict=False):
        hop = ip_address(gateway)
        yield Route(ip_network(destination), None if hop.is_unspecified else hop)
    if not words:
        for router in values.get("new_routers", "").split()[:1]:
            yield Route(DEFAULT, ip_address(router))


def _version6(values: Mapping[str, str], told_at: float) -> Lease:
    """Addresses only, each for itself: what is on the link, and the way out, is for routers to say (RFC 8415 4.1)."""
    found = dict(_addresses(values))
    if not found:
        return NOTHING
    return Lease(tuple(found), expires_at=told_at + min(found.values()))


def _addresses(values: Mapping[str, str]) -> Iterator[tuple[IpInterface, int]]:
    for number in range(1, MOST_ADDRESSES + 1):
        name = f"new_dhcp6_ia_na1_ia_addr{number}"
        seconds = int(values.get(f"{name}_vltime", "0"))
        if name in values and seconds:
            yield ip_interface(f"{values[name]}/128"), seconds
