"""Applier: what a DHCP server gave an interface, inside the network namespace where it is.

Only what came from a lease is put there and taken away; addresses and routes that others gave stay. A lease's routes
stand behind those of the container's own networks: a default route that is there goes on being used.
"""

from ovsnet.linux.attempts import NOTHING_INSIDE, unless_gone
from ovsnet.linux.namespace import links_inside
from ovsnet.linux.placement import sandbox_at
from ovsnet.model.errors import ApplyError
from ovsnet.model.lease import Lease, Lessee

METRIC = 1024
"""That of routes from router advertisements: the same for both families."""


async def index_of(lessee: Lessee) -> int:
    """The index of its interface inside, which one that was made anew does not share; 0 when there is none."""
    links = await links_inside(lessee.sandbox)
    return next((it.index for it in links if it.name == lessee.ifname), 0)


async def change(lessee: Lessee, before: Lease, after: Lease) -> None:
    """Give the interface what `after` has, and take from it what only `before` had; ApplyError says why not.

    First what comes, then what goes: whoever sends has an address all the time.
    """
    name = lessee.ifname
    async with sandbox_at(name, lessee.sandbox) as sandbox:
        kernel = sandbox.kernel
        try:
            for address in after.addresses:
                await kernel.add_address(name, address)
            for route in after.routes:
                await kernel.add_route(name, route, metric=METRIC)
            for route in reversed(before.routes):
                if route not in after.routes:
                    await unless_gone(kernel.drop_route(name, route, metric=METRIC), NOTHING_INSIDE)
            for address in before.addresses:
                if address not in after.addresses:
                    await unless_gone(kernel.drop_address(name, address), NOTHING_INSIDE)
        except OSError as error:
            what = ", ".join(str(it) for it in after.addresses) or "no address"
            raise ApplyError(name, f"a DHCP server gave it {what}: {error.strerror or error}") from error
