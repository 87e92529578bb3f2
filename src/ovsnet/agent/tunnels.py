"""Which tunnels this host has: what was set, what the cluster's are, what the datapath can. Pure.

Open vSwitch's own tunnels of the userspace datapath leave by a bridge of that datapath: the VTEP's address must be on
one, or no packet gets anywhere. The kernel's vxlan devices do not ask for that.
"""

from collections.abc import Callable, Iterator

from ovsnet.linux.underlay import Underlay
from ovsnet.model.cluster import Encapsulation
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.overlay import TunnelKind
from ovsnet.observe.member_words import has_no_kernel_device, joined_packets, leads_nowhere
from ovsnet.settings import Settings


def tunnel_kind(settings: Settings, switch: SwitchFacts, encapsulation: Encapsulation) -> TunnelKind:
    """What carries packets to other hosts: what there is for it, as set, or what is faster on this datapath."""
    if encapsulation is Encapsulation.GENEVE:
        return TunnelKind.OVS
    if settings.tunnel != "auto":
        return TunnelKind(settings.tunnel)
    return TunnelKind.KERNEL if switch.datapath is Datapath.USERSPACE else TunnelKind.OVS


def problems(
    kind: TunnelKind, switch: SwitchFacts, underlay: Underlay | None, carrier: Callable[[str], str]
) -> Iterator[str]:
    """Why nothing gets out. `carrier` tells the bridge that has a port of a name, "" when none has."""
    if underlay is None or kind is not TunnelKind.OVS or switch.datapath is Datapath.KERNEL or not switch.available:
        return
    bridge = switch.bridges.get(carrier(underlay.device))
    if bridge is None or bridge.datapath is not Datapath.USERSPACE:
        yield leads_nowhere(underlay.device)


def warnings(
    settings: Settings, switch: SwitchFacts, underlay: Underlay | None, encapsulation: Encapsulation
) -> Iterator[str]:
    """What is worth knowing of them."""
    if settings.tunnel == TunnelKind.KERNEL and encapsulation is not Encapsulation.VXLAN:
        yield has_no_kernel_device(encapsulation)
    kernel = tunnel_kind(settings, switch, encapsulation) is TunnelKind.KERNEL
    userspace = switch.datapath is Datapath.USERSPACE and not switch.tso
    if underlay is not None and underlay.joins and kernel and userspace:
        yield joined_packets(underlay.device)
