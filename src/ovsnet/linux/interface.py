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
GET_JOINING, SET_JOINING = 0x2B, 0x2C
"""ETHTOOL_GGRO, ETHTOOL_SGRO."""
SYSCTLS = Path("/proc/sys/net")
LINKS = Path("/sys/class/net")
MARKED_SOURCES = {"ipv4/conf/{}/rp_filter": "2", "ipv4/conf/{}/src_valid_mark": "1"}
"""A source is good that some route of the host's leads to (RFC 3704, loose), of those that its packet's mark asks."""

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
    _ethtool(name, within, SET_TRANSMIT_CHECKSUM)


def set_joining(name: str, within: socket.socket, *, joined: bool) -> None:
    """Whether the interface hands up packets joined from several of one connection (GRO), or as they came."""
    _ethtool(name, within, SET_JOINING, int(joined))


def joins(name: str, within: socket.socket) -> bool:
    """True when the interface may hand up packets that are joined from several, larger than its MTU (GRO)."""
    return bool(_ethtool(name, within, GET_JOINING))


def silence(name: str) -> None:
    """Keep the host's own protocols off the interface. What it does not speak needs no silencing."""
    for path, value in SILENT.items():
        _write(path.format(name), value)


def allow_ipv6(name: str, *, allowed: bool) -> None:
    """Switch IPv6 on the interface on or off, as the engine does it for interfaces with and without an
    address.
    """
    _write(f"ipv6/conf/{name}/disable_ipv6", "0" if allowed else "1")


def check_sources_by_mark(name: str) -> None:
    """Have the host take packets from senders whom a rule about marks leads to, or to whom another interface does."""
    for path, value in MARKED_SOURCES.items():
        _write(path.format(name), value)


def checks_sources_by_mark(name: str) -> bool:
    """Whether it does; also where there is no such interface."""
    return all(setting(path.format(name)) in (value, "") for path, value in MARKED_SOURCES.items())


def setting(path: str) -> str:
    """A sysctl below /proc/sys/net; "" where there is none."""
    try:
        return (SYSCTLS / path).read_text().strip()
    except OSError:
        return ""


def set_setting(path: str, value: str) -> None:
    """Write a sysctl below /proc/sys/net, where there is one."""
    _write(path, value)


def copy_setting(path: str, source: str, target: str) -> None:
    """Have a sysctl of one interface be what it is of another; `path` has {} in place of the name."""
    value = setting(path.format(source))
    if value and value != setting(path.format(target)):
        _write(path.format(target), value)


def mtu_of(name: str) -> int | None:
    """The MTU of a link of the agent's namespace; None when there is none."""
    if "/" in name:
        return None
    try:
        return int((LINKS / name / "mtu").read_text())
    except (OSError, ValueError):
        return None


def heed_routers(name: str, *, autoconf: bool) -> None:
    """Have the interface take what routers announce (RFC 4861): the way out and what is on the link; with `autoconf`
    an address of its own in each announced prefix as well, made of its MAC (RFC 4862, SLAAC).

    Before it is up: then it asks for routers at once.
    """
    # 2: also where a container forwards, as one that routes for others does.
    settings = {"accept_ra": "2", "autoconf": str(int(autoconf)), "addr_gen_mode": "0", "use_tempaddr": "0"}
    for setting, value in settings.items():
        _write(f"ipv6/conf/{name}/{setting}", value)


def heed_no_routers(name: str) -> None:
    """Have the interface take of routers what every new one takes where it is."""
    for setting in ("accept_ra", "autoconf"):
        copy_setting(f"ipv6/conf/{{}}/{setting}", "default", name)


def heed_routers_as_a_router() -> None:
    """Have every interface that takes what routers announce do so also when this host forwards IPv6: by itself it would
    lose its own ways out then.
    """
    for conf in (SYSCTLS / "ipv6/conf").iterdir():
        if conf.name != "all" and setting(f"ipv6/conf/{conf.name}/accept_ra") == "1":
            _write(f"ipv6/conf/{conf.name}/accept_ra", "2")


def _ethtool(name: str, within: socket.socket, command: int, given: int = 0) -> int:
    """One command of ethtool's; returns the value that the kernel gives back."""
    value = ctypes.create_string_buffer(struct.pack("=II", command, given))
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
    fcntl.ioctl(within, SIOCETHTOOL, request)
    return int(struct.unpack_from("=II", value)[1])


def _write(path: str, value: str) -> None:
    setting = SYSCTLS / path
    if setting.exists():  # there is none of IPv6 while the MTU is below 1280 (RFC 8200 5)
        setting.write_text(value)
