"""The order in which kinds of resource are made and unmade, with the reason. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from ovsnet.model.network import PortKind


class Kind(StrEnum):
    """One kind of resource, one applier."""

    BRIDGES = "bridges"
    LINKS = "links"
    DEVICES = "devices"
    INSIDES = "insides"
    TUNNELS = "tunnels"
    PORTS = "ports"
    FLOWS = "flows"
    UPLINKS = "uplinks"
    FIREWALL = "firewall"


class Does(StrEnum):
    """Which part of a difference a phase writes."""

    MAKES = "makes and changes"
    UNMAKES = "takes away"
    BOTH = "makes, changes and takes away"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a round. `only`: links and ports of this kind; None for all."""

    kind: Kind
    does: Does
    why: str
    only: PortKind | None = None


PHASES = (
    Phase(Kind.UPLINKS, Does.BOTH, "first, as this host may be reached through nothing else"),
    Phase(Kind.BRIDGES, Does.MAKES, "all else hangs on the bridge; fail_mode=secure: it forwards nothing yet"),
    Phase(Kind.FIREWALL, Does.MAKES, "before there are gateways: nothing passes one unasked"),
    Phase(Kind.LINKS, Does.MAKES, "ovs-vswitchd can only open a veth that exists", PortKind.VETH),
    Phase(Kind.TUNNELS, Does.MAKES, "as a veth: a port needs a device that exists"),
    Phase(Kind.PORTS, Does.MAKES, "flows need the port's number; until they come its packets are dropped"),
    Phase(Kind.LINKS, Does.MAKES, "ovs-vswitchd makes the device of an internal port", PortKind.INTERNAL),
    Phase(Kind.DEVICES, Does.BOTH, "as links: what is inside needs them"),
    Phase(Kind.INSIDES, Does.BOTH, "what changes inside an interface needs that; what goes, goes with it"),
    Phase(Kind.FLOWS, Does.BOTH, "one bundle, so that no packet sees half of it; also before ports go away"),
    Phase(Kind.PORTS, Does.UNMAKES, "before its link, or ovs-vswitchd reports a port without a device"),
    Phase(Kind.LINKS, Does.UNMAKES, "nothing uses it any more; an internal port's device went with its port"),
    Phase(Kind.TUNNELS, Does.UNMAKES, "after its port, as a link"),
    Phase(Kind.FIREWALL, Does.UNMAKES, "after the gateways it is about"),
    Phase(Kind.BRIDGES, Does.UNMAKES, "last: only when we leave the host"),
)
