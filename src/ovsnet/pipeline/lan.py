"""Endpoints on a LAN (mode=uplink): what of their addresses is known, and so held against them. Pure.

    IPAM gave it          it, as on any network
    a DHCP server will    that; before, and besides, from 0.0.0.0 the question for one, and the link-local address
    a router announces    of IPv6 what is made of its MAC, in any prefix (RFC 4862)
    nobody says           any

In each case the MAC is its own, and it is neither a router nor a DHCP server to others. The name service is for those
with an address of IPAM: by any other it would take one for another, or answer to another (dns.py).
"""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpInterface
from ovsnet.model.network import Network
from ovsnet.pipeline.plug import Gateway, Plug

NOT_OURS = Gateway(None, None)
"""The router of a LAN answers for itself."""


def on_lan(plug: Plug, endpoint: Endpoint, network: Network, leased: tuple[IpInterface, ...]) -> Plug:
    """The plug with what it has from the LAN."""
    options, nobody = network.options, not network.addressed and not network.options.from_lan
    given = [it.ip for it in leased]
    ipv4 = plug.ipv4 or next((it for it in given if isinstance(it, IPv4Address)), None)
    six = tuple(it for it in given if isinstance(it, IPv6Address))
    ipv6 = plug.ipv6 or ((*six, endpoint.link_local) if 6 in options.dhcp else ())
    return replace(
        plug,
        ipv4=ipv4,
        ipv6=ipv6,
        addressed=True,
        gateway=NOT_OURS,
        open4=nobody,
        open6=nobody,
        asks=4 in options.dhcp,
        derives=options.slaac,
        lan=True,
        leased=plug.ipv4 is None and (ipv4 is not None or nobody),
    )
