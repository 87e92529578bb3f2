"""A LAN with a DHCP server: dnsmasq in a namespace, on the other end of a container's interface."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.functional.kernel import Inside, container

DEADLINE = 15.0
"""Seconds within which something is said; generous, since the machine may be busy."""
RENEWED_AFTER = 3
"""Seconds, the least dnsmasq tells (T1, RFC 2131 4.4.5). The lease lasts two minutes, the shortest it gives."""
CONFIGURATION = """
port=0
interface=lan
bind-interfaces
dhcp-authoritative
no-ping
log-dhcp
log-facility=-
user=root
enable-ra
ra-param=lan,4,1800
dhcp-range=192.0.2.100,192.0.2.150,255.255.255.0,2m
dhcp-range=2001:db8:77::100,2001:db8:77::150,slaac,64,2m
dhcp-option=option:T1,{renewed_after}
dhcp-option=option:T2,105
dhcp-option=option:classless-static-route,0.0.0.0/0,192.0.2.1,198.51.100.0/24,192.0.2.9
dhcp-host={reserved},192.0.2.77
dhcp-leasefile={folder}/leases
pid-file={folder}/pid
"""


class Server:
    """What it says of its clients."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def said(self, word: str) -> list[str]:
        """Its lines with that word, such as `DHCPACK(lan) 192.0.2.77`."""
        return [it for it in self._log.read_text().splitlines() if word in it]

    async def says(self, word: str, *, times: int = 1) -> list[str]:
        """Wait until it has said so that often."""
        try:
            async with asyncio.timeout(DEADLINE):
                while len(self.said(word)) < times:  # noqa: ASYNC110 - the log of another program
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            complaint = f"not {times} times {word!r} within {DEADLINE:g} s in:\n{self._log.read_text()}"
            raise AssertionError(complaint) from error
        return self.said(word)


@contextmanager
def lan(folder: Path, inside: Inside, *, mac: str, reserved: str) -> Iterator[Server]:
    """`eth1` of a container on a LAN with a server, which has 192.0.2.1 and keeps 192.0.2.77 for the MAC `reserved`."""
    log = folder / "dnsmasq.log"
    folder.joinpath("conf").write_text(
        CONFIGURATION.format(folder=folder, reserved=reserved, renewed_after=RENEWED_AFTER)
    )
    with container() as host:
        host.run(
            *("ip", "link", "add", "lan", "type", "veth"),
            *("peer", "name", "eth1", "address", mac, "netns", inside.name),
        )
        host.run("ip", "address", "add", "192.0.2.1/24", "dev", "lan")
        host.run("ip", "address", "add", "2001:db8:77::1/64", "dev", "lan", "nodad")
        host.run("ip", "link", "set", "lan", "up")
        command = ("ip", "netns", "exec", host.name, "dnsmasq", "--keep-in-foreground", f"--conf-file={folder}/conf")
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            server = Server(log)
            try:
                yield server
            finally:
                process.terminate()
