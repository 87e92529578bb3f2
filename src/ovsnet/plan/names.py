"""Names of what we make on a host, computable from Docker's ids alone. Pure.

An interface name has at most 15 characters (IFNAMSIZ - 1). Eleven hex digits of a random 64-digit id leave one
chance in 10**7 of a collision at 1 000 endpoints on a host; the link applier refuses a name that is taken.
"""

import re
from hashlib import blake2s

from ovsnet.model.attachment import Attachment
from ovsnet.model.cluster import Encapsulation
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import Medium
from ovsnet.model.ids import EndpointId, IpAddress, Vni
from ovsnet.model.network import Network, PortKind
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State

OWNER_KEY = "ovsnet-owner"
ENDPOINT_KEY = "ovsnet-endpoint"
NETWORK_KEY = "ovsnet-network"
NETWORK_NAME_KEY = "ovsnet-network-name"
CONTAINER_KEY = "ovsnet-container"
CONTAINER_NAME_KEY = "ovsnet-container-name"
COMPOSE_SERVICE_KEY = "ovsnet-compose-service"
MAC_KEY = "ovsnet-mac"
ADDRESSES_KEY = "ovsnet-addresses"
"""External ids beside every port of ours; `ovsnet ps` is read from them. Addresses are separated by spaces."""
SPARE_KEY = "ovsnet-spare"
"""Beside the port of a pair that waits for an endpoint."""
BRIDGE_KEY = "ovsnet-bridge"
"""Beside a port that is on another bridge than our networks' one: which."""
ATTACHMENT_KEY = "ovsnet-attachment"
IFNAME_KEY = "ovsnet-ifname"
"""Beside the port of an attachment: its id, and the name of the interface inside."""
TRUNK_KEY = "ovsnet-trunk"
"""Beside the port that is a NIC, or the two that lead to somebody else's bridge."""
UPLINK_KEY = "ovsnet-uplink"
"""On a bridge for a NIC of the host, and on the port that the NIC is: whose they are, in place of the owner's mark."""
UPLINK_SETTLED_KEY = "ovsnet-uplink-settled"
"""Beside the NIC's port: of which device of the bridge, in which boot, all has been moved."""
TRUNK_PATCH, TRUNK_FAR = "ovtrunk", "ovtrunkp"
"""The cable to somebody else's bridge: its end on ours, and the one there."""
_UPLINK_PREFIX = "ovu"
"""No name of an endpoint's port begins so: u is no hex digit."""
ALIAS_PREFIX = "ovsnet:"
DNS_INSIDE = "ocdns"
"""The end of the pair to the name service that is in its namespace."""
DNS_ALIAS = f"{ALIAS_PREFIX}dns"
_FLOW_TUNNELS = {Encapsulation.VXLAN: "ovxlan0", Encapsulation.GENEVE: "ovxgeneve0"}
"""The one tunnel port of kind ovs."""
_TUNNEL_PREFIX = "ovx"
"""No name of an endpoint's port begins so: x is no hex digit."""
_PATH_PREFIX = "ovxp"
"""No name of a device's port begins so: p is no hex digit."""
_GATEWAY_PREFIX = "ovgp"
"""No name of an endpoint's port begins so: g is no hex digit."""
_DIGITS = 11
_RESERVED = re.compile(r"o[vci][0-9a-f]{11}0?|ovx.*|ovdns.*|ocdns|ovtrunkp?|ovu.*|ovg.*")


def host_end(endpoint: EndpointId) -> str:
    """The end of a veth pair that stays in the host and is the OVS port."""
    return f"ov{endpoint[:_DIGITS]}"


def container_end(endpoint: EndpointId) -> str:
    """The end of a veth pair that the engine moves into the container."""
    return f"oc{endpoint[:_DIGITS]}"


def internal_prefix(endpoint: EndpointId) -> str:
    """The prefix the engine is told for an internal port.

    The engine names the interface prefix + lowest free index, so with this prefix the new name is the old name and
    the rename, which would make ovs-vswitchd lose the port, does not happen.
    """
    return f"oi{endpoint[:_DIGITS]}"


def internal_port(endpoint: EndpointId) -> str:
    """An internal port's name, inside the container as outside."""
    return f"{internal_prefix(endpoint)}0"


def port_name(endpoint: Endpoint, network: Network) -> str:
    """The name of an endpoint's OVS port."""
    if endpoint.host_ifname:
        return endpoint.host_ifname
    if network.options.port is PortKind.INTERNAL:
        return internal_port(endpoint.id)
    return host_end(link_id(endpoint))


def link_id(endpoint: Endpoint) -> EndpointId:
    """By what its link, the link's other end and their alias are named."""
    return EndpointId(endpoint.spare) if endpoint.spare else endpoint.id


def attachment_port(attachment: Attachment) -> str:
    """The name of the OVS port of an attachment on a bridge.

    An internal port has one name, inside as outside: ovs-vswitchd would lose one that is renamed.
    """
    if attachment.port is PortKind.INTERNAL:
        return attachment.ifname
    return attachment.host_ifname or host_end(attachment.id)


def port_of_attachment(attachment: Attachment, state: State) -> str:
    """What it is called in plans: the name of its port, where it has one; "" for one whose network is gone."""
    if attachment.bridge:
        return attachment_port(attachment)
    if attachment.medium is not Medium.PORT:
        return device(attachment.id)
    endpoint, network = state.endpoints.get(attachment.id), state.networks.get(attachment.network_id)
    return port_name(endpoint, network) if endpoint and network else ""


def device(attachment_id: EndpointId) -> str:
    """The key of an attached interface that is no port of a switch."""
    return f"od{attachment_id[:_DIGITS]}"


def inside(port: str) -> str:
    """The key of what the interface behind a port has inside."""
    return f"{port} inside"


def is_reserved(name: str) -> bool:
    """True for a name that could be one we make ourselves."""
    return bool(_RESERVED.fullmatch(name))


def dns_port() -> str:
    """The host's end of the pair to the name service, a port of our bridge."""
    return "ovdns"


def alias(endpoint: EndpointId) -> str:
    """The mark on a link of ours (IFLA_IFALIAS)."""
    return f"{ALIAS_PREFIX}{endpoint}"


def tunnel_device(vni: Vni) -> str:
    """The kernel's vxlan device of a network, which is an OVS port too."""
    return f"{_TUNNEL_PREFIX}{vni:x}"


def uplink_port(nic: str) -> str:
    """The end on our bridge of the cable to the bridge of an uplink."""
    return f"{_UPLINK_PREFIX}{blake2s(nic.encode(), digest_size=5).hexdigest()}"


def gateway_port(vni: Vni) -> str:
    """The port of our bridge behind which a network's gateway is."""
    return f"{_GATEWAY_PREFIX}{vni:x}"


def gateway_alias(vni: Vni) -> str:
    """The mark on the pair to a gateway."""
    return f"{ALIAS_PREFIX}gateway:{vni}"


def far_end(port: str) -> str:
    """The other end of that cable."""
    return f"{port}p"


def path_port(vtep: IpAddress) -> str:
    """The port by which the way to another host's VTEP is watched."""
    return f"{_PATH_PREFIX}{int(vtep):08x}" if vtep.version == 4 else f"{_PATH_PREFIX}{_digest(vtep)}"


def _digest(vtep: IpAddress) -> str:
    return blake2s(vtep.packed, digest_size=5).hexdigest()


def flow_tunnel(encapsulation: Encapsulation) -> str:
    """The one port of kind ovs that carries all networks."""
    return _FLOW_TUNNELS[encapsulation]


def tunnel_port(overlay: Overlay, vni: Vni) -> str:
    """The name of the OVS port by which a network reaches other hosts."""
    return flow_tunnel(overlay.encapsulation) if overlay.kind is TunnelKind.OVS else tunnel_device(vni)


def is_tunnel(port: str) -> bool:
    """True for the name of a port of ours that is no endpoint's."""
    return port.startswith((_TUNNEL_PREFIX, _GATEWAY_PREFIX)) or port == dns_port()


def tunnel_alias(vni: Vni) -> str:
    """The mark on a vxlan device of ours."""
    return f"{ALIAS_PREFIX}vxlan:{vni}"
