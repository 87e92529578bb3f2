"""What can be ordered of the NICs of this host (`ORDERS` in api/orders.py has them)."""

import msgspec


class UplinkOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move a NIC with its addresses into an OVS bridge ("": one that is made for it). `probe`: who must answer, an
    address; "": the default gateways. `commit_within`: seconds until it is put back unless they do. `force`: also when
    nobody answers before.
    """

    nic: str
    bridge: str = ""
    probe: str = ""
    commit_within: float = 30.0
    force: bool = False


class UplinkRemoval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a NIC its addresses back, and take it out of its bridge."""

    nic: str
