"""The order in which kinds of resource are made and unmade, with the reason. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from ovsnet.model.network import PortKind


class Kind(StrEnum):
    """One kind of resource, one applier."""

    BRIDGES = "bridges"
    LINKS = "links"
    PORTS = "ports"
    FLOWS = "flows"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a round."""

    kind: Kind
    makes: bool
    unmakes: bool
    why: str
    only: PortKind | None = None
    """Links and ports of this kind only; None for all."""


PHASES = (
    Phase(Kind.BRIDGES, True, False, "everything else hangs on the bridge; fail_mode=secure: it forwards nothing yet"),
    Phase(Kind.LINKS, True, False, "ovs-vswitchd can only open a veth that exists", PortKind.VETH),
    Phase(Kind.PORTS, True, False, "flows need the port's number; until they come the pipeline drops its packets"),
    Phase(Kind.LINKS, True, False, "ovs-vswitchd makes the device of an internal port", PortKind.INTERNAL),
    Phase(Kind.FLOWS, True, True, "one bundle, so that no packet sees half of it; also before ports go away"),
    Phase(Kind.PORTS, False, True, "before its link, or ovs-vswitchd reports a port without a device"),
    Phase(Kind.LINKS, False, True, "nothing uses it any more; an internal port's device went with its port"),
    Phase(Kind.BRIDGES, False, True, "last: only when we leave the host"),
)
