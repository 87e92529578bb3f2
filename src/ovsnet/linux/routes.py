"""What this host already reaches, so that a pool can be chosen that overlaps none of it."""

import asyncio

from ovsnet.linux.hostlists import networks
from ovsnet.linux.namespace import list_links
from ovsnet.model.egress import GATEWAY_DEVICES
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpNetwork


async def host_networks() -> frozenset[IpNetwork]:
    """Every network that this host has a route (in any table) or an address for.

    Left out is what overlaps everything or nothing, default routes, multicast, link-local, and the networks that this
    host is the gateway of by us. Unavailable when the kernel does not tell.
    """
    try:
        gateways = {it.index for it in list_links() if it.name.startswith(GATEWAY_DEVICES)}
        found = await asyncio.to_thread(networks, gateways)
    except OSError as error:
        raise Unavailable("the kernel's netlink", f"routes cannot be listed: {error.strerror}") from error
    return frozenset(it for it in found if _counts(it))


def _counts(network: IpNetwork) -> bool:
    return network.prefixlen > 0 and not network.is_multicast and not network.is_link_local
