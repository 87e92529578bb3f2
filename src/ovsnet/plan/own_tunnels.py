"""Ports of Open vSwitch's own tunnels, VXLAN or Geneve. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from ovsnet.model.cluster import Encapsulation
from ovsnet.model.host import PortPlan
from ovsnet.model.network import PortKind
from ovsnet.model.overlay import Overlay
from ovsnet.plan import names

KINDS: Mapping[Encapsulation, PortKind] = MappingProxyType(
    {Encapsulation.VXLAN: PortKind.VXLAN, Encapsulation.GENEVE: PortKind.GENEVE}
)
NO_BFD: Mapping[str, str] = MappingProxyType({})


def own_tunnel(
    name: str, overlay: Overlay, instance: str, *, remote: str, key: str, bfd: Mapping[str, str] = NO_BFD
) -> PortPlan:
    """A tunnel from our VTEP to `remote` with the VNI `key`; "flow" for either: the flows say it.

    The rest is as the kernel's devices do it: packets may be cut up on a narrow path, and over IPv6 they have a UDP
    checksum, on which a receiver may insist (RFC 6935).
    """
    options = {
        "remote_ip": remote,
        "key": key,
        "local_ip": str(overlay.local),
        "dst_port": str(overlay.udp_port),
        "df_default": "false",
    }
    if overlay.local.version == 6:
        options["csum"] = "true"
    kind = KINDS[overlay.encapsulation]
    return PortPlan(name, kind, external_ids={names.OWNER_KEY: instance}, options=options, bfd=bfd)
