"""The host's own interface of a bridge that was made for attachments: up, so that an address is all it needs to take
part, and silent until somebody gives it one.
"""

from ovsnet.linux import interface
from ovsnet.linux.netlink import Netlink
from ovsnet.model.errors import ApplyError

RESERVED = {"ipv6/conf/{}/accept_ra": "0", "ipv6/conf/{}/addr_gen_mode": "1"}
"""Who is attached to the bridge may play a router there, and is not to have the host follow; nor does the host get an
address by itself by which it would be reached.
"""


async def bring_up(name: str) -> None:
    """Have the interface up; ApplyError when the kernel refuses."""
    try:
        for path, value in RESERVED.items():
            interface.set_setting(path.format(name), value)
        async with Netlink() as kernel:
            await kernel.change(name, state="up")
    except OSError as error:
        raise ApplyError(name, f"the host's interface cannot be brought up: {error.strerror}") from error
