"""Tables guard, tentative, ipv6, nd_guard, fragment, dhcp: endpoints send as themselves and tell the truth. Pure.

What lets a packet pass names the port it must come from: no other port can send it.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final

from ovsnet.model.endpoint import link_local
from ovsnet.model.ids import Mac
from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.packets import (
    BROADCAST,
    BROADCAST_V4,
    DHCP_SERVER,
    DHCPV6_SERVERS,
    MLD_REPORTS,
    ND_HOP_LIMIT,
    ND_TARGET_LINK_ADDRESS,
    ND_TYPES,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    NO_MAC,
    TAG_PRESENT,
    UNSPECIFIED_V4,
    UNSPECIFIED_V6,
)
from ovsnet.pipeline.plug import Plug
from ovsnet.pipeline.registers import ND_OPTION
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

HOST_PART: Final = IPv6Address("::ffff:ffff:ffff:ffff")
"""What an address has beside its prefix, where routers announce that (RFC 4862 5.5.3: 64 bits)."""


def base_flows() -> Iterator[Flow]:
    """What holds for every port."""
    yield flow(Table.GUARD, Priority.FIRST, f"vlan_tci={TAG_PRESENT}/{TAG_PRESENT}", DROP)
    yield from _tentative_flows()
    # OVS shows no ICMPv6 type in a fragment (set-frags normal, its default), so it could carry anything.
    yield flow(Table.IPV6, Priority.EXCEPTION, "ipv6,nw_frag=yes", goto(Table.FRAGMENT))
    yield flow(Table.IPV6, Priority.NORMAL, "icmp6", goto(Table.ND_GUARD))
    for kind in ND_TYPES:
        yield flow(Table.ND_GUARD, Priority.FALLBACK, f"icmp6,icmp_type={kind}", DROP)
    # RFC 6980 has receivers ignore such fragments; not all do. Large pings have a smaller hop limit and pass.
    yield flow(Table.FRAGMENT, Priority.NORMAL, f"ipv6,nw_ttl={ND_HOP_LIMIT}", DROP)
    yield from _dhcp_flows()


def _dhcp_flows() -> Iterator[Flow]:
    """Where IPAM gives the addresses no container is asked for one, and none offers any unasked.

    All packets with a known sender's address pass table gateway, those of networks without IPAM do not.
    """
    yield flow(Table.GATEWAY, Priority.NORMAL, f"dl_dst={DHCPV6_SERVERS}", DROP, feature=Feature.GUARD)
    yield flow(Table.GATEWAY, Priority.NORMAL, f"dl_dst={BROADCAST}", goto(Table.DHCP), feature=Feature.GUARD)
    for port in ("tp_src", "tp_dst"):
        yield flow(Table.DHCP, Priority.NORMAL, f"udp,{port}={DHCP_SERVER}", DROP)


def _tentative_flows() -> Iterator[Flow]:
    for kind in MLD_REPORTS:
        yield flow(Table.TENTATIVE, Priority.NORMAL, f"icmp6,icmp_type={kind}", goto(Table.FORWARD))
    # Duplicate address detection: does anybody have my address? IPAM gave it to one only, so nobody answers; on a LAN
    # that is another matter (`_detection_flows`).
    yield flow(Table.TENTATIVE, Priority.FALLBACK, f"icmp6,icmp_type={NEIGHBOUR_SOLICITATION}", DROP)


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """What this port may send."""
    if not plug.addressed:
        yield from _own_mac_flows(plug)
        return
    yield from _own_ipv4_flows(plug)
    yield from _own_ipv6_flows(plug)
    if plug.asks:
        nobody = f"nw_src={UNSPECIFIED_V4},nw_dst={BROADCAST_V4}"
        question = f"ip,in_port={plug.ofport},dl_src={plug.mac},dl_dst={BROADCAST},{nobody}"
        yield _allow(plug, Table.GUARD, question, goto(Table.GATEWAY))
    if plug.open4:
        yield from _any_ipv4_flows(plug)
    if plug.open6:
        yield from _any_ipv6_flows(plug)
    if plug.derives:
        yield from _derived_ipv6_flows(plug)
    if plug.leased:
        question = f"ip,in_port={plug.ofport},dl_dst={SERVICE_MAC}"
        yield flow(Table.GUARD, Priority.EXCEPTION, question, DROP, about=plug.segment.vni)


def _own_mac_flows(plug: Plug) -> Iterator[Flow]:
    """No address is known here: the MAC alone is held against the sender."""
    sender = f"in_port={plug.ofport},dl_src={plug.mac}"
    for match in (f"arp,{sender},arp_sha={plug.mac}", f"ip,{sender}", f"ipv6,{sender}"):
        yield _allow(plug, Table.GUARD, match, goto(Table.FORWARD))


def _own_ipv4_flows(plug: Plug) -> Iterator[Flow]:
    if plug.ipv4 is None:
        return
    sender = f"in_port={plug.ofport},dl_src={plug.mac}"
    claim = f"arp,{sender},arp_spa={plug.ipv4},arp_sha={plug.mac}"
    yield _allow(plug, Table.GUARD, claim, goto(Table.NEIGHBOUR))
    yield _allow(plug, Table.GUARD, f"ip,{sender},nw_src={plug.ipv4}", goto(Table.GATEWAY))


def _any_ipv4_flows(plug: Plug) -> Iterator[Flow]:
    """On a LAN, where no address is known: the MAC is held against the sender, and it is no DHCP server."""
    sender = f"in_port={plug.ofport},dl_src={plug.mac}"
    yield _allow(plug, Table.GUARD, f"arp,{sender},arp_sha={plug.mac}", goto(Table.NEIGHBOUR))
    yield _allow(plug, Table.GUARD, f"ip,{sender}", goto(Table.GATEWAY))


def _any_ipv6_flows(plug: Plug) -> Iterator[Flow]:
    """The same, and it is no router: what it says of neighbours names its own MAC."""
    sender = f"in_port={plug.ofport},dl_src={plug.mac}"
    yield _allow(plug, Table.GUARD, f"ipv6,{sender},ipv6_src={UNSPECIFIED_V6}", goto(Table.TENTATIVE))
    about = plug.segment.vni
    yield flow(Table.GUARD, Priority.FALLBACK, f"ipv6,{sender}", goto(Table.IPV6), about=about)
    claim = f"{_nd(plug, NEIGHBOUR_ADVERTISEMENT)},nd_tll={plug.mac}"
    yield _allow(plug, Table.ND_GUARD, claim, goto(Table.FORWARD))
    yield from _solicitation_flows(plug)
    yield from _detection_flows(plug)


def _derived_ipv6_flows(plug: Plug) -> Iterator[Flow]:
    """On a LAN whose routers announce prefixes: what is behind one is made of its MAC, as in its link-local address."""
    sender, own = f"in_port={plug.ofport},dl_src={plug.mac}", _of_mac(plug.mac)
    yield _allow(plug, Table.GUARD, f"ipv6,{sender},ipv6_src={UNSPECIFIED_V6}", goto(Table.TENTATIVE))
    yield _allow(plug, Table.GUARD, f"ipv6,{sender},ipv6_src={own}", goto(Table.IPV6))
    claim = f"{_nd(plug, NEIGHBOUR_ADVERTISEMENT)},nd_target={own},nd_tll={plug.mac}"
    yield _allow(plug, Table.ND_GUARD, claim, goto(Table.FORWARD))
    yield from _solicitation_flows(plug)
    yield from _detection_flows(plug, own)


def _of_mac(mac: Mac) -> str:
    """Any address that is made of this MAC (modified EUI-64)."""
    return f"{IPv6Address(int(link_local(mac)) & int(HOST_PART))}/{HOST_PART}"


def _own_ipv6_flows(plug: Plug) -> Iterator[Flow]:
    if not plug.ipv6:
        return
    sender = f"in_port={plug.ofport},dl_src={plug.mac}"
    yield _allow(plug, Table.GUARD, f"ipv6,{sender},ipv6_src={UNSPECIFIED_V6}", goto(Table.TENTATIVE))
    for address in plug.ipv6:
        yield _allow(plug, Table.GUARD, f"ipv6,{sender},ipv6_src={address}", goto(Table.IPV6))
        claim = f"{_nd(plug, NEIGHBOUR_ADVERTISEMENT)},nd_target={address},nd_tll={plug.mac}"
        yield _allow(plug, Table.ND_GUARD, claim, goto(Table.FORWARD))
        yield from _detection_flows(plug, str(address))
    yield from _solicitation_flows(plug)


def _detection_flows(plug: Plug, target: str = "") -> Iterator[Flow]:
    """On a LAN others may have its address, and are asked from `::` (RFC 4862 5.4); "" is any. Whoever asks so for an
    address that another is about to take keeps him from it.
    """
    if plug.lan:
        about = f",nd_target={target}" if target else ""
        question = f"{_nd(plug, NEIGHBOUR_SOLICITATION)}{about}"
        yield _allow(plug, Table.TENTATIVE, question, goto(Table.FORWARD))


def _solicitation_flows(plug: Plug) -> Iterator[Flow]:
    """Anybody may ask. A link-layer option must be the truth; its room serves the answer.

    Without it the answer has none: OVS would write behind the packet's end (packet_set_nd_ext, since 2.12).
    """
    question = _nd(plug, NEIGHBOUR_SOLICITATION)
    room = ND_OPTION.set_to(ND_TARGET_LINK_ADDRESS)
    yield _allow(plug, Table.ND_GUARD, f"{question},nd_sll={plug.mac}", f"{room},{goto(Table.NEIGHBOUR)}")
    yield _allow(plug, Table.ND_GUARD, f"{question},nd_sll={NO_MAC}", goto(Table.NEIGHBOUR))


def _nd(plug: Plug, kind: int) -> str:
    return f"icmp6,in_port={plug.ofport},icmp_type={kind},icmp_code=0"


def _allow(plug: Plug, table: Table, match: str, actions: str) -> Flow:
    return flow(table, Priority.NORMAL, match, actions, about=plug.segment.vni)
