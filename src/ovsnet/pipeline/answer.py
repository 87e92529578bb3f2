"""How a question is turned into its answer inside the switch: actions shared by neighbour and gateway. Pure.

Only what both datapaths take: the ND flags and the option type are written by `move` from a register, because
OVS refuses `set_field` on them on a bridge of the kernel datapath (OFPBAC_BAD_SET_ARGUMENT, seen with 3.1).
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ovsnet.model.ids import Mac
from ovsnet.pipeline.packets import (
    ARP_REPLY,
    ECHO_REPLY_V4,
    ECHO_REPLY_V6,
    FRESH_TTL,
    NEIGHBOUR_ADVERTISEMENT,
    OVERRIDE_FLAG,
    ROUTER_FLAG,
    SOLICITED_FLAG,
)
from ovsnet.pipeline.registers import ND_FLAGS, ND_OPTION
from ovsnet.pipeline.tables import TO_SENDER, Table, goto

_WRITE_FLAGS: Final = f"move:{ND_FLAGS.whole}->ERICOXM_OF_ICMPV6_ND_RESERVED[]"
_WRITE_OPTION: Final = f"move:{ND_OPTION.low(8)}->ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE[]"
_WRITE_MAC: Final = "move:NXM_OF_ETH_SRC[]->NXM_NX_ND_TLL[]"


def arp(mac: Mac, address: IPv4Address) -> str:
    """An ARP request becomes the reply that this MAC has this address."""
    return ",".join((
        _from_mac(mac),
        f"set_field:{ARP_REPLY}->arp_op",
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
        f"set_field:{mac}->arp_sha",
        "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        f"set_field:{address}->arp_spa",
        TO_SENDER,
    ))  # fmt: skip


def solicitation(mac: Mac, address: IPv6Address, *, router: bool) -> str:
    """A neighbour solicitation becomes an advertisement; `nd_reply` completes it.

    The second table is needed because the target's link-layer option exists for OVS only in type 136.
    """
    flags = SOLICITED_FLAG | OVERRIDE_FLAG | (ROUTER_FLAG if router else 0)
    return ",".join((
        _from_mac(mac),
        _from_ipv6(address),
        f"set_field:{NEIGHBOUR_ADVERTISEMENT}->icmpv6_type",
        ND_FLAGS.set_to(flags),
        goto(Table.ND_REPLY),
    ))  # fmt: skip


def advertisement(*, with_option: bool) -> str:
    """Flags and, where the solicitation left room for it, the MAC into the advertisement; then back."""
    writes = (_WRITE_FLAGS, _WRITE_OPTION, _WRITE_MAC) if with_option else (_WRITE_FLAGS,)
    return ",".join((*writes, TO_SENDER))


def echo_v4(mac: Mac, address: IPv4Address) -> str:
    """An ICMP echo request becomes its reply."""
    return ",".join((
        _from_mac(mac),
        "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
        f"set_field:{address}->ip_src",
        f"set_field:{ECHO_REPLY_V4}->icmp_type",
        _FRESH,
        TO_SENDER,
    ))  # fmt: skip


def echo_v6(mac: Mac, address: IPv6Address) -> str:
    """An ICMPv6 echo request becomes its reply."""
    reply = f"set_field:{ECHO_REPLY_V6}->icmpv6_type"
    return ",".join((_from_mac(mac), _from_ipv6(address), reply, _FRESH, TO_SENDER))


_FRESH: Final = f"set_field:{FRESH_TTL}->nw_ttl"


def _from_mac(mac: Mac) -> str:
    return f"move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:{mac}->eth_src"


def _from_ipv6(address: IPv6Address) -> str:
    return f"move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],set_field:{address}->ipv6_src"
