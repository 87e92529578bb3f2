"""How fast a port may send towards its container: a QoS row of ours, from which ovs-vswitchd makes a queueing
discipline, and makes it again after its own restart. Pure.

A discipline that somebody else puts on a port's link, ovs-vswitchd removes whenever it opens the link. A QoS of
somebody else's on a port of ours is left alone while we want none.
"""

from collections.abc import Mapping
from typing import Any, Final

from ovsnet.plan.names import OWNER_KEY

KIND: Final = "linux-htb"
MOST: Final = "max-rate"

Row = Any


def shape_of(port: Row, instance: str) -> Row | None:
    """The QoS row of ours that the port has; None without one."""
    return next((it for it in port.qos if it.external_ids.get(OWNER_KEY) == instance), None)


def rate_of(port: Row) -> int:
    """The bits a second that a port of ours is bound to by us, 0 for none; -1 when it cannot be read."""
    shape = shape_of(port, port.external_ids.get(OWNER_KEY, ""))
    if shape is None:
        return 0
    said = shape.other_config.get(MOST, "")
    return int(said) if shape.type == KIND and said.isdigit() else -1


def columns(rate: int, instance: str) -> Mapping[str, object]:
    """Every column of the row."""
    return {"type": KIND, "other_config": {MOST: str(rate)}, "external_ids": {OWNER_KEY: instance}}
