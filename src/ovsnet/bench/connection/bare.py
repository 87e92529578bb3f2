"""Open vSwitch without us, a bridge with the one flow NORMAL: what our flow tables cost, and what its ports can be."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.station import KERNEL, TSO, Station
from ovsnet.bench.wiring import Joined, Subject, dress, namespace, pair

BARE, AF_XDP = "bare OVS bridge", "bare OVS bridge, AF_XDP"
BRIDGE = "br-plain"


@dataclass(frozen=True, slots=True)
class Joining:
    """How two ends are joined: the first letters of what is made for it, options of the ports in Open vSwitch, and
    whether packets are handed on without a checksum.
    """

    subject: str
    tag: str
    port: tuple[str, ...] = ()
    offload: bool = True


class Bare:
    """Each with a switch of its own. `tso` is for the userspace datapath."""

    def __init__(self, folder: Path, datapath: str, *, tso: bool) -> None:
        self._folder = folder
        self._datapath = datapath
        self._tso = tso and datapath != KERNEL

    def subjects(self) -> Iterator[Subject]:
        yield Subject(BARE, "veth pairs on a bridge with the one flow NORMAL", self.plain)
        if self._datapath != KERNEL:
            yield Subject(AF_XDP, "the same, with ports of type afxdp-nonpmd", self.af_xdp)

    async def plain(self, stack: AsyncExitStack) -> Joined:
        """Ports as Open vSwitch takes them by itself."""
        offload = self._datapath == KERNEL or self._tso
        return await self._build(stack, BARE, TSO if self._tso else {}, (), offload=offload)

    async def af_xdp(self, stack: AsyncExitStack) -> Joined:
        """Sockets of the kernel that copy less; they know no offloads."""
        return await self._build(stack, AF_XDP, {}, ("type=afxdp-nonpmd",), offload=False)

    async def _build(
        self, stack: AsyncExitStack, subject: str, other_config: dict[str, str], port: tuple[str, ...], *, offload: bool
    ) -> Joined:
        tag = "x" if port else "b"
        # Each switch in a namespace of its own: the userspace datapath's devices have the same names everywhere.
        host = await namespace(f"{tag}host", self._folder)
        station = Station(self._folder / tag, datapath=self._datapath, namespace=host.namespace)
        stack.push_async_callback(station.crew.close)
        await station.open_switch(**other_config)
        return await bare_bridge(station, self._folder, Joining(subject, tag, port, offload))


async def bare_bridge(station: Station, folder: Path, how: Joining) -> Joined:
    """Two namespaces on a bridge of this switch, which runs."""
    datapath = station.settings.datapath
    await station.vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, f"datapath_type={datapath}")
    ends = []
    for number in (0, 1):
        name = f"{how.tag}bare{number}"
        crew = await namespace(name, folder)
        await pair(station.crew, name, crew, "eth0")
        await station.crew.call("ip", "link", "set", name, "up")
        if not how.offload:
            # As our agent does it: this datapath hands packets on as they are, without a checksum too.
            await crew.call("ethtool", "-K", "eth0", "tx", "off")
            await station.crew.call("ethtool", "-K", name, "tx", "off")
        options = ("--", "set", "Interface", name, *how.port) if how.port else ()
        await station.vsctl("add-port", BRIDGE, name, *options)
        ends.append(await dress(crew, "eth0", f"198.51.100.{number + 1}/24"))
    return Joined(how.subject, *ends)
