"""What netlink cannot set on an interface: transmit offloads (ethtool) and sysctls.

Both act on the calling thread's network namespace; offloads on that of the socket where one is given.
"""

import ctypes
import fcntl
import socket
import struct
from pathlib import Path

SIOCETHTOOL = 0x8946
SET_TRANSMIT_CHECKSUM = 0x17
SYSCTLS = Path("/proc/sys/net")

SILENT = {
    "ipv6/conf/{}/disable_ipv6": "1",
    "ipv4/conf/{}/arp_ignore": "8",
    "ipv4/conf/{}/rp_filter": "1",
}
"""For the host's end of a pair, which is a port of the switch and nothing else.

On the userspace datapath the host's own stack gets a copy of every packet a container sends. So it takes no
IPv6; it drops every IPv4 sender, because a source check of any strictness (RFC 3704) finds no route back
through an interface without an address; and it does not answer ARP probes (RFC 5227), which have no sender
to check.
"""


def stop_transmit_offload(name: str, within: socket.socket) -> None:
    """Have the interface send complete packets: with checksums, none larger than its MTU.

    One switch: the kernel does no segmentation offload without the checksum offload.
    """
    value = ctypes.create_string_buffer(struct.pack("=II", SET_TRANSMIT_CHECKSUM, 0))
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
    fcntl.ioctl(within, SIOCETHTOOL, request)


def silence(name: str) -> None:
    """Keep the host's own protocols off the interface. What this kernel does not have needs no silencing."""
    for path, value in SILENT.items():
        _write(path.format(name), value)


def allow_ipv6(name: str, *, allowed: bool) -> None:
    """Switch IPv6 on the interface on or off, as the engine does it for interfaces with and without an
    address.
    """
    _write(f"ipv6/conf/{name}/disable_ipv6", "0" if allowed else "1")


def _write(path: str, value: str) -> None:
    family = path.split("/", 1)[0]
    if (SYSCTLS / family).exists():
        (SYSCTLS / path).write_text(value)
