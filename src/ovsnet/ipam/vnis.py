"""Which number a new network gets on the switch and in the tunnels. Pure."""

from collections.abc import Collection
from hashlib import blake2s

from ovsnet.model.errors import Conflict
from ovsnet.model.ids import MAX_VNI, NetworkId, Vni


def free_vni(network_id: NetworkId, taken: Collection[Vni]) -> Vni:
    """Starts at a number made from the id, so that two hosts rarely want the same one."""
    if len(taken) >= MAX_VNI:
        raise Conflict(f"all {MAX_VNI} network numbers are in use; remove a network first")
    vni = int.from_bytes(blake2s(network_id.encode(), digest_size=3).digest()) % (MAX_VNI + 1) or 1
    while vni in taken:
        vni = vni % MAX_VNI + 1
    return Vni(vni)
