"""What forwards packets in Open vSwitch. Pure."""

from enum import StrEnum


class Datapath(StrEnum):
    """OVS `Bridge.datapath_type`: `system` is the kernel's datapath, `netdev` the userspace one."""

    KERNEL = "system"
    USERSPACE = "netdev"
