"""Where a lease's files are, and what the client is told. Pure.

    RUN_DIR/dhcp/ID/     pid, log, conf, whose (the lessee), v4 and v6 (what was said), given (what the interface has)
    RUN_DIR/dhcp/news    a pipe: whoever wrote something there says so in it
    STATE_DIR/dhcp/ID/   dhcpcd's own leases: after a reboot it asks for the same address again
    STATE_DIR/dhcp/hook  what dhcpcd runs; not below /run, where programs may not be allowed

Everything of the clients is here, so that the next agent finds what the last one left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ovsnet.model.ids import EndpointId, short
from ovsnet.model.lease import Lessee

PROGRAM = "dhcpcd"
PACKAGE = "dhcpcd-base"
"""Debian's name for it without a service that would look after the host's own interfaces."""
UNIT_PREFIX = "ovsnet-dhcp-"
REPORTS = {4: "v4", 6: "v6"}


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of all leases: gone at reboot, and kept."""

    run: str
    kept: str

    @property
    def news(self) -> str:
        """The pipe."""
        return f"{self.run}/news"

    @property
    def hook(self) -> str:
        """The program that the client runs."""
        return f"{self.kept}/hook"

    @property
    def launcher(self) -> str:
        """The program that becomes the client."""
        return f"{self.kept}/launch"

    def folder(self, lessee: EndpointId) -> str:
        """What is true until the host reboots."""
        return f"{self.run}/{lessee}"

    def leases(self, lessee: EndpointId) -> str:
        """What dhcpcd keeps."""
        return f"{self.kept}/{lessee}"


def configuration(lessee: Lessee, places: Places) -> str:
    """The client's configuration (dhcpcd.conf(5)).

    The client's name towards the server is the MAC, in both families, so that reservations by MAC hold. It does not
    probe addresses first, which takes 5 s: servers do before they offer one. Router advertisements are the kernel's.
    """
    lines = [
        "noipv4ll",
        "noarp",
        "noipv6rs",
        'clientid ""',
        "duid ll",
        "option subnet_mask, routers, classless_static_routes",
        f"script {places.hook}",
        f"env ovsnet_folder={places.folder(lessee.id)}",
        f"env ovsnet_news={places.news}",
        f"env ovsnet_sandbox={lessee.sandbox}",
    ]
    if lessee.hostname:
        lines.append(f"hostname {lessee.hostname}")
    lines.append("ia_na" if 6 in lessee.families else "ipv4only")
    if 4 not in lessee.families:
        lines.append("ipv6only")
    return "\n".join(lines) + "\n"


def command(lessee: Lessee, places: Places) -> Sequence[str]:
    """What starts the client where it belongs; it does not go into the background."""
    folder = places.folder(lessee.id)
    return (
        *("nsenter", f"--net={lessee.sandbox}", "--"),
        *("unshare", "--mount", "--propagation", "slave", "--"),
        *("sh", places.launcher, folder, places.leases(lessee.id), places.news),
        *(PROGRAM, "--noconfigure", "--nobackground", "--nodev", "--quiet", "--config", f"{folder}/conf"),
        lessee.ifname,
    )


def unit_of(lessee: EndpointId) -> str:
    """The systemd unit a client is in, where there is systemd."""
    return f"{UNIT_PREFIX}{short(lessee)}.service"
