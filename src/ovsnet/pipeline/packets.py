"""The protocol numbers the pipeline matches and writes, by name, with where they are defined. Pure."""

from typing import Final

ARP_REQUEST: Final = 1
ARP_REPLY: Final = 2
"""RFC 826."""

ECHO_REPLY_V4: Final = 0
ECHO_REQUEST_V4: Final = 8
"""RFC 792."""
ECHO_REQUEST_V6: Final = 128
ECHO_REPLY_V6: Final = 129
"""RFC 4443 4.1 and 4.2."""

IGMP: Final = 2
"""The protocol number (RFC 3376 4)."""
ALL_SYSTEMS: Final = "224.0.0.1"
"""Whom a general query of IGMP asks (RFC 3376 4.1.12)."""
MLD_QUERY: Final = 130
MLD_REPORTS: Final = (131, 132, 143)
"""Multicast listener report and done, and the report of version 2 (RFC 2710, RFC 3810)."""

ROUTER_SOLICITATION: Final = 133
ROUTER_ADVERTISEMENT: Final = 134
NEIGHBOUR_SOLICITATION: Final = 135
NEIGHBOUR_ADVERTISEMENT: Final = 136
REDIRECT: Final = 137
"""RFC 4861 4.1 to 4.5."""
ND_TYPES: Final = (
    ROUTER_SOLICITATION,
    ROUTER_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    NEIGHBOUR_ADVERTISEMENT,
    REDIRECT,
)

ND_TARGET_LINK_ADDRESS: Final = 2
"""The option of an advertisement that carries the MAC (RFC 4861 4.6.1)."""
ND_HOP_LIMIT: Final = 255
"""Neighbour discovery with any other hop limit is ignored by its receiver (RFC 4861 7.1)."""
ROUTER_FLAG: Final = 0x80000000
SOLICITED_FLAG: Final = 0x40000000
OVERRIDE_FLAG: Final = 0x20000000
"""The R, S and O bits of an advertisement in its first 32 bits after the checksum (RFC 4861 4.4)."""

DHCP_SERVER: Final = 67
"""The UDP port that is asked and that answers (RFC 2131 4.1)."""
DHCPV6_SERVERS: Final = "33:33:00:01:00:02"
"""The MAC of ff02::1:2, by which all servers and relays are asked (RFC 8415 7.1)."""
BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
UNSPECIFIED_V4: Final = "0.0.0.0"  # noqa: S104 - nothing is bound to it
BROADCAST_V4: Final = "255.255.255.255"
"""From whom and to whom a question for an address is (RFC 2131 4.1)."""

NO_MAC: Final = "00:00:00:00:00:00"
"""How the switch presents the link-layer address of a message that has no such option."""
UNSPECIFIED_V6: Final = "::"
GROUP_BIT: Final = "01:00:00:00:00:00"
"""Set in the destination MAC of every broadcast and multicast frame (IEEE 802)."""
TAG_PRESENT: Final = "0x1000"
"""OVS sets this bit of `vlan_tci` for every frame with an 802.1Q or 802.1ad tag, VLAN 0 included."""
FRESH_TTL: Final = 64
"""The TTL and hop limit of packets that we originate."""
