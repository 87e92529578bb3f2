"""Who else gives an interface of this host its addresses: a DHCP client, systemd-networkd, NetworkManager.

Such a program sees what is taken from the interface and puts it back, or gives up the lease: it has to be told first.
Nothing is asked of it here and nothing told: what it left in files, and processes, are looked at.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ovsnet.linux.sandboxes import OWN

PROCESSES = Path("/proc")
NETWORKD = Path("/run/systemd/netif/links")
NETWORK_MANAGER = Path("/run/NetworkManager/devices")
CLIENTS = frozenset({"dhclient", "dhcpcd", "udhcpc"})
COMM = 15
"""How much of a program's name the kernel keeps (proc(5))."""
_LEAVES_ALONE = frozenset({"unmanaged", "pending", ""})


def caretaker_of(nic: str, index: int, links: Collection[str]) -> str:
    """Who that is, in words; "" when nobody is found. `links` are the names of all interfaces."""
    running = list(_running())
    names = {name for name, _ in running}
    if "systemd-networkd"[:COMM] in names and _field(NETWORKD / str(index), "ADMIN_STATE") not in _LEAVES_ALONE:
        return "systemd-networkd"
    if "NetworkManager" in names and _field(NETWORK_MANAGER / str(index), "managed") == "true":
        return "NetworkManager"
    found = (name for name, words in running if name in CLIENTS and looks_after(words, nic, links))
    return next(found, "")


def looks_after(words: Sequence[str], nic: str, links: Collection[str]) -> bool:
    """Whether a DHCP client with this command line is one for that interface: it names it, or names none."""
    named = {part for word in words for part in word.split()} & set(links)
    return nic in named or not named


def _running() -> Iterator[tuple[str, Sequence[str]]]:
    """The programs in our network namespace, by what the kernel calls them, with their command lines."""
    own = os.stat(OWN).st_ino
    for folder in PROCESSES.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                if os.stat(folder / "ns/net").st_ino == own:
                    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    yield (folder / "comm").read_text().strip(), words


def _field(file: Path, key: str) -> str:
    """A value of a file with lines like KEY=value; "" where there is none."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == key:
                return value.strip()
    return ""
