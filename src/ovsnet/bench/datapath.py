"""Which datapath of Open vSwitch a run uses."""

from ovsnet.bench.station import KERNEL, USERSPACE
from ovsnet.model.errors import Unavailable
from ovsnet.ovs.kernel import kernel_has_datapath


def datapath_name(datapath: str) -> str:
    """For people, in the facts of a report."""
    return "kernel" if datapath == KERNEL else "userspace"


def chosen_datapath(wanted: str) -> str:
    """What `auto`, `system` or `netdev` means on this machine; Unavailable when it cannot be had."""
    if wanted == USERSPACE:
        return wanted
    if kernel_has_datapath():
        return KERNEL
    if wanted == KERNEL:
        reason = "this kernel has no Open vSwitch datapath"
        raise Unavailable(f"--datapath {KERNEL}", reason, remedy=f"load the module openvswitch, or use {USERSPACE}")
    return USERSPACE
