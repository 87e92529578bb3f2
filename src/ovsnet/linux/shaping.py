"""The queueing disciplines of an attached interface, for what its container sends: netem(8) loses and delays, tbf(8)
bounds the rate, below netem where there are both.

Ours has a number of its own. One that is there with it is changed in place, which drops no packet.
"""

import errno
from typing import Any, Final

from ovsnet.linux.attempts import unless_gone
from ovsnet.linux.netlink import Netlink
from ovsnet.model.shaping import UNSHAPED, Shape

ROOT: Final = 0xFFFFFFFF
"""TC_H_ROOT."""
OURS: Final = 0x6F760000
BELOW: Final = 0x6F770000
"""Ours at the root ("ov"), and ours below it."""
NOTHING_THERE: Final = frozenset({errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP})
"""No discipline, another one, or a kernel without."""
OTHER_KIND: Final = frozenset({errno.EINVAL, errno.EEXIST})
QUEUE: Final = 20_000
"""Packets that netem holds: what 1 Gbit/s sends in a quarter of a second."""
LATENCY: Final = 20
"""A packet waits for a twentieth of a second at most, then it is dropped."""
LEAST_BURST: Final = 16 << 10
BURST: Final = 100
"""So much may go at once as is sent in a hundredth of a second: the kernel's clock need not be better."""


async def put(kernel: Netlink, name: str, shape: Shape, mtu: int) -> None:
    """Have the interface send so, and no other way."""
    if shape == UNSHAPED:
        await unless_gone(kernel.drop_discipline(name, OURS, ROOT), NOTHING_THERE)
        return
    if not shape.disturbed:
        await _replace_root(kernel, name, "tbf", bound(shape, mtu))
        return
    await _replace_root(kernel, name, "netem", disturbance(shape))
    if shape.rate:
        await kernel.put_discipline(name, "tbf", BELOW, OURS + 1, **bound(shape, mtu))
    else:
        await unless_gone(kernel.drop_discipline(name, BELOW, OURS + 1), NOTHING_THERE)


def bound(shape: Shape, mtu: int) -> dict[str, Any]:
    """The numbers of tbf."""
    octets = shape.rate // 8
    burst = max(2 * mtu, LEAST_BURST, octets // BURST)
    return {"rate": octets, "burst": burst, "limit": burst + octets // LATENCY}


def disturbance(shape: Shape) -> dict[str, Any]:
    """The numbers of netem."""
    return {"loss": shape.loss, "delay": shape.delay, "jitter": shape.jitter, "limit": QUEUE}


async def _replace_root(kernel: Netlink, name: str, kind: str, numbers: dict[str, Any]) -> None:
    try:
        await kernel.put_discipline(name, kind, OURS, ROOT, **numbers)
    except OSError as error:
        if error.errno not in OTHER_KIND:
            raise
        await unless_gone(kernel.drop_discipline(name, OURS, ROOT), NOTHING_THERE)
        await kernel.put_discipline(name, kind, OURS, ROOT, **numbers)
