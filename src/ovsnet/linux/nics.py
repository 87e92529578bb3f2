"""NICs of the host that are, or become, ports of a bridge: what they have, and moving it.

In the userspace datapath the kernel's own stack gets a copy of every packet of the NIC, whose MAC is also that of the
bridge's port: the host would take each packet twice. So what comes in at the NIC is dropped for the kernel, behind the
tap of ovs-vswitchd (hook ingress), and packets are not joined (GRO) unless the switch takes them (TSO).
"""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ovsnet.linux import hostnet, interface
from ovsnet.linux.caretakers import caretaker_of
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import list_links
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.nft import nft, nothing_there
from ovsnet.linux.subscription import NEIGHBOUR
from ovsnet.linux.trunk import OUR_ALIAS, SWITCHES
from ovsnet.model.datapath import Datapath
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.ids import Mac
from ovsnet.model.uplink import HostAddress, HostRoute, NicFacts, NicSettings, UplinkPlan

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LOOKS: Final = 500
"""How often it is looked whether the kernel's worker has taken up new addresses, which it does at once."""
INHERITED: Final = (
    *("ipv4/conf/{}/" + it for it in ("rp_filter", "arp_ignore", "arp_announce", "arp_filter", "accept_local")),
    *(
        "ipv4/conf/{}/" + it
        for it in ("forwarding", "proxy_arp", "send_redirects", "accept_redirects", "route_localnet")
    ),
    *("ipv6/conf/{}/" + it for it in ("forwarding", "accept_ra", "autoconf", "use_tempaddr", "accept_ra_defrtr")),
)
"""Settings of the NIC that the bridge's port gets before it is used."""
NO_NICS: Final = frozenset({*SWITCHES, "bridge", "bond", "team", "tun"})
NO_DAD: Final = "ipv6/conf/{}/accept_dad"
WIRELESS: Final = Path("/sys/class/net")


class Nics:
    """Of the network namespace of the caller. `instance` marks what is ours in nftables."""

    def __init__(self, instance: str) -> None:
        self._table = f"{instance}-uplink"

    # ------------------------------------------------------------ looking

    def look(self, name: str) -> NicFacts:
        """The NIC as it is; Unavailable when the kernel does not tell."""
        with _told(name):
            links = list_links()
            link = next((it for it in links if it.name == name), None)
            if link is None:
                return NicFacts(name, f"this host has no interface '{name}'; 'ip link' lists those it has")
            has = hostnet.read(link)
            master = next((it for it in links if it.index == link.master), None)
            obstacle = obstacle_of(
                has, master, wireless=(WIRELESS / name / "wireless").exists(), ruled=hostnet.ruled(name)
            )
            settings = NicSettings(Mac(link.mac), link.mtu, _ipv6_is_on(name), _joins(name))
            caretaker = caretaker_of(name, link.index, {it.name for it in links})
            return NicFacts(name, obstacle, caretaker, settings, has.addresses, has.routes)

    def read(self, name: str) -> hostnet.Has | None:
        """What the interface has; None when there is none of that name."""
        with _told(name):
            link = hostnet.look_up(name)
            return None if link is None else hostnet.read(link)

    def boot(self) -> str:
        """Which boot of this host it is."""
        return BOOT_ID.read_text().strip()

    async def is_shut(self, plan: UplinkPlan) -> bool:
        """Whether the kernel's stack gets nothing of what comes in at the NIC."""
        if _ipv6_is_on(plan.nic):
            return False
        if plan.datapath is Datapath.KERNEL:
            return True
        try:
            return f'"{plan.nic}"' in await nft("--stateless", "list", "table", "netdev", self._table)
        except ApplyError:
            return False

    # ------------------------------------------------------------ moving

    async def ready(self, plan: UplinkPlan) -> None:
        """Have the bridge's own port up, with the NIC's settings; ApplyError when it is not there."""
        link = self._must(plan.bridge)
        for path in INHERITED:
            interface.copy_setting(path, plan.nic, plan.bridge)
        if not link.up:
            with _no_questions(plan.bridge):
                await self._change(plan.bridge, state="up")
                _until_usable(plan.bridge)

    def give(self, name: str, addresses: Sequence[HostAddress]) -> None:
        """Have these addresses on the interface, at once usable."""
        link = self._must(name)
        with _refused(name), _no_questions(name):
            hostnet.give(link, addresses)
            _until_usable(name)

    def lead(self, name: str, routes: Sequence[HostRoute]) -> None:
        """Have these routes lead through the interface, no other one."""
        link = self._must(name)
        with _refused(name):
            hostnet.lead(link, routes)

    def take(self, name: str, addresses: Sequence[HostAddress], routes: Sequence[HostRoute]) -> None:
        """Have none of these on the interface; nothing happens where that is gone."""
        link = hostnet.look_up(name)
        if link is not None:
            with _refused(name):
                hostnet.take(link, addresses, routes)

    async def shut(self, plan: UplinkPlan, *, tso: bool) -> None:
        """Keep what comes in at the NIC from the kernel's stack, where the switch does not take it away itself."""
        if plan.datapath is not Datapath.USERSPACE:
            return
        if plan.settings.joins and not tso:
            self._join(plan.nic, joined=False)
        await nft("-f", "-", stdin=ruleset(self._table, plan.nic))

    async def open(self, plan: UplinkPlan) -> None:
        """Let the kernel's stack hear the NIC again."""
        with nothing_there():
            await nft("delete", "chain", "netdev", self._table, chain_of(plan.nic))
        with nothing_there():
            if "chain" not in await nft("list", "table", "netdev", self._table):
                await nft("delete", "table", "netdev", self._table)
        if plan.settings.joins and hostnet.look_up(plan.nic) is not None:
            self._join(plan.nic, joined=True)

    def speak_ipv6(self, plan: UplinkPlan, *, spoken: bool) -> None:
        """Switch IPv6 of the NIC off once it has gone to the bridge, and on again before it comes back."""
        if plan.settings.ipv6 and _ipv6_is_on(plan.nic) is not spoken:
            with _no_questions(plan.nic):
                interface.allow_ipv6(plan.nic, allowed=spoken)
                _until_usable(plan.nic)

    # ------------------------------------------------------------ details

    def _must(self, name: str) -> Link:
        link = hostnet.look_up(name)
        if link is None:
            raise ApplyError(name, "there is no such interface")
        return link

    async def _change(self, name: str, **attributes: object) -> None:
        with _refused(name):
            async with Netlink() as kernel:
                await kernel.change(name, **attributes)

    def _join(self, name: str, *, joined: bool) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
            try:
                interface.set_joining(name, ioctl, joined=joined)
            except OSError as error:
                if error.errno not in (errno.ENODEV, errno.EOPNOTSUPP):
                    raise ApplyError(name, f"GRO cannot be changed: {error.strerror}") from error


def obstacle_of(has: hostnet.Has, master: Link | None, *, wireless: bool, ruled: bool) -> str:
    """Why an interface cannot be an uplink, and what to do; "" when it can."""
    link, name = has.link, has.link.name
    on = master.name if master is not None else ""
    strange = ", ".join(f"{it.destination} (table {it.table})" for it in has.strange)
    several = f"a route through '{name}' has several ways, or something else that is not understood: {strange}"
    reasons = (
        (link.alias.startswith(OUR_ALIAS), f"interface '{name}' was made by ovsnet itself; name a NIC"),
        (name == "lo", "interface 'lo' is the loopback; name a NIC"),
        (wireless, f"interface '{name}' is wireless: an access point takes frames of one MAC only; name a wired NIC"),
        (link.kind in NO_NICS, f"interface '{name}' is a {link.kind}, no NIC; name a NIC"),
        (
            master is not None and master.kind not in SWITCHES,
            f"interface '{name}' is a port of '{on}'; take it out, or name another NIC",
        ),
        (bool(has.strange), f"{several}; remove it first, and add it again afterwards"),
        (ruled, f"a routing rule names '{name}' (ip rule); change it first, as the addresses leave that interface"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def chain_of(nic: str) -> str:
    """The chain for one NIC, whose name may have characters that nft does not take."""
    return "nic-" + "".join(it if it.isalnum() else f"_{ord(it):x}" for it in nic)


def ruleset(table: str, nic: str) -> str:
    """The commands that keep what comes in at the NIC from the kernel's stack, whatever was there."""
    chain = chain_of(nic)
    hook = f'type filter hook ingress device "{nic}" priority -500; policy drop;'
    return f"add table netdev {table}\nadd chain netdev {table} {chain} {{ {hook} }}\n"


def _ipv6_is_on(name: str) -> bool:
    return interface.setting(f"ipv6/conf/{name}/disable_ipv6") == "0"


def _joins(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
        try:
            return interface.joins(name, ioctl)
        except OSError:
            return False


@contextmanager
def _no_questions(name: str) -> Iterator[None]:
    """While this lasts nobody is asked for an address that comes to the interface (RFC 4862 5.4): it is this host's.

    The flag for single addresses (nodad) would stay on them.
    """
    path = NO_DAD.format(name)
    before = interface.setting(path)
    interface.set_setting(path, "0")
    try:
        yield
    finally:
        if before:
            interface.set_setting(path, before)


def _until_usable(name: str) -> None:
    """Without questions the kernel's worker is through at once, and tells nobody."""
    for _ in range(LOOKS):
        link = hostnet.look_up(name)
        if link is None or not hostnet.read(link).tentative:
            return


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(NEIGHBOUR, f"what {name} has cannot be listed: {error.strerror}") from error


@contextmanager
def _refused(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ApplyError(name, error.strerror or str(error)) from error
