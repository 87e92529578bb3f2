"""Does this kernel have the Open vSwitch datapath? Asked of the kernel itself, by generic netlink.

The database's column `datapath_types` lists "system" also where the module is missing (Open vSwitch 3.1),
and such a bridge is never made. Asking for the family makes the kernel load the module if it lies on the
disk.
"""

import socket
import struct

FAMILY = b"ovs_datapath\0"
_NETLINK_GENERIC = 16
_GENL_ID_CTRL, _CTRL_CMD_GETFAMILY, _CTRL_ATTR_FAMILY_NAME = 16, 3, 2
_NLM_F_REQUEST, _NLMSG_ERROR = 1, 2


def kernel_has_datapath() -> bool:
    """True when the generic netlink family of the datapath exists (linux/genetlink.h,
    linux/openvswitch.h).
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC) as channel:
            channel.settimeout(5.0)
            channel.send(_request())
            answer = channel.recv(4096)
    except OSError:
        return False
    (kind,) = struct.unpack_from("=H", answer, 4)
    return bool(kind != _NLMSG_ERROR)


def _request() -> bytes:
    attribute = struct.pack("=HH", 4 + len(FAMILY), _CTRL_ATTR_FAMILY_NAME) + FAMILY
    body = struct.pack("=BBH", _CTRL_CMD_GETFAMILY, 1, 0) + attribute.ljust(-(-len(attribute) // 4) * 4, b"\0")
    return struct.pack("=IHHII", 16 + len(body), _GENL_ID_CTRL, _NLM_F_REQUEST, 1, 0) + body
