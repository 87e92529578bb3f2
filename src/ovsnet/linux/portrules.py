"""The rules by which published ports of this host lead to containers, as nft takes them. Pure.

    elsewhere, containers ─► prerouting ─┬─► the container's address, by its gateway
    this host itself      ─► output ─────┘   postrouting: who would be answered past us gets the gateway's address
    containers            ─► prerouting ───► an imported service, where it is

The client keeps its address, but for a container that comes back to its own network, whose answer would take the
short way, for 127.0.0.1, which means another host there, and for what was published by order: its container may have
another way out.
"""

from collections.abc import Iterator, Mapping, Sequence

from ovsnet.linux.spacerules import lead
from ovsnet.model.egress import GATEWAY_DEVICES, Detour, Lead, Passage
from ovsnet.model.ids import IpAddress
from ovsnet.model.publication import Publication, Transport, bracketed
from ovsnet.model.spaces import COMMON

LOOPBACK4 = "127.0.0.0/8"
_HOSTS_ONLY = {4: f"ip daddr != {LOOPBACK4}", 6: "ip6 daddr != { ::1, fe80::/10 }"}
"""What nobody but this host may mean by an address of it. Link-local senders cannot be answered from another link."""


def from_outside(leads: Sequence[Lead], spaces: Mapping[str, int]) -> Iterator[str]:
    """For packets that come to this host. What is published on its loopback is for nobody else, whatever he sends."""
    for it in leads:
        if not it.publication.host.is_loopback:
            limit = f" {_HOSTS_ONLY[it.publication.version]}" if it.publication.host.is_unspecified else ""
            yield f"{_to(it.publication)}{limit} counter {_lead(it, spaces)}"


def from_here(leads: Sequence[Lead], spaces: Mapping[str, int]) -> Iterator[str]:
    """For packets of this host's own programs."""
    for it in leads:
        limit = " ip6 daddr != ::1" if it.publication.version == 6 else ""
        yield f"{_to(it.publication)}{limit} counter {_lead(it, spaces)}"


def not_by_loopback6(leads: Sequence[Lead]) -> Iterator[str]:
    """No packet from ::1 leaves by another interface, so this is refused at once: who asked for `localhost` goes on to
    127.0.0.1 then.
    """
    for it in (it.publication for it in leads if it.publication.version == 6 and it.publication.host.is_unspecified):
        verdict = "tcp reset" if it.transport is Transport.TCP else "icmpx port-unreachable"
        yield f'oifname "lo" ip6 daddr ::1 {it.transport} dport {it.host_port} counter reject with {verdict}'


def imported(detours: Sequence[Detour], spaces: Mapping[str, int]) -> Iterator[str]:
    """For packets of containers to the addresses of services. Where those are, the host's usual routes say."""
    for it in detours:
        service = it.service
        asked = f"{_coming(it)} {service.transport} dport {service.port}"
        yield f"{asked} counter {lead(spaces, COMMON)}{_dnat(service.target, service.target_port)}"


def here(detours: Sequence[Detour]) -> Iterator[str]:
    """Lets containers in that were led to this host itself, as a service is on it."""
    for device, address in sorted({(it.device, it.service.address) for it in detours}, key=str):
        yield f'iifname "{device}" {_led_by(address)} accept'


def from_here_back(detours: Sequence[Detour]) -> Iterator[str]:
    """Lets it answer them: by any gateway, as the packet filter is told the one before a mark led the packet on."""
    for address in sorted({it.service.address for it in detours}, key=str):
        yield f'oifname "{GATEWAY_DEVICES}*" ct direction reply {_led_by(address)} accept'


def on_order(leads: Sequence[Lead]) -> Iterator[str]:
    """What was published by order gets the gateway's address: so it is answered by it, whatever other way out is."""
    for it in (one for one in leads if one.borrows):
        field, led = ("ip" if it.to.version == 4 else "ip6"), it.publication
        to = f'oifname "{it.device}" {field} daddr {it.to} {led.transport} dport {led.port}'
        yield f"{to} ct status dnat ct original proto-dst {led.host_port} counter masquerade"


def borrowed(passages: Sequence[Passage]) -> Iterator[str]:
    """Who gets the gateway's address on the way to the container."""
    for it in passages:
        for subnet in it.subnets:
            field, loopback = ("ip", LOOPBACK4) if subnet.version == 4 else ("ip6", "::1")
            yield f'oifname "{it.device}" {field} saddr {{ {subnet}, {loopback} }} ct status dnat counter masquerade'


def _to(it: Publication) -> str:
    field, family = ("ip", "ipv4") if it.version == 4 else ("ip6", "ipv6")
    port = f"{it.transport} dport {it.host_port}"
    if it.host.is_unspecified:
        return f"meta nfproto {family} {port} fib daddr type local"
    return f"{field} daddr {it.host} {port}"


def _led_by(address: IpAddress) -> str:
    return f"ct status dnat ct original {'ip' if address.version == 4 else 'ip6'} daddr {address}"


def _coming(it: Detour) -> str:
    field = "ip" if it.service.address.version == 4 else "ip6"
    return f'iifname "{it.device}" {field} daddr {it.service.address}'


def _lead(it: Lead, spaces: Mapping[str, int]) -> str:
    return lead(spaces, spaces.get(it.device, COMMON)) + _dnat(it.to, it.publication.port)


def _dnat(to: IpAddress, port: int) -> str:
    return f"dnat {'ip' if to.version == 4 else 'ip6'} to {bracketed(to)}:{port}"
