"""OVN, the network of Open vSwitch's own project: one logical switch over Geneve, a port on each host.

    host 0: northbound and southbound database, northd, controller ══ wire ══ host 1: controller

The switches are like ours, without an agent.
"""

import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from ovsnet.bench.overlay.ours import hold_wire
from ovsnet.bench.overlay.underlay import ADDRESSES, INNER, Ground, give_address, plug
from ovsnet.bench.station import USERSPACE, Station, answers
from ovsnet.bench.wiring import End, Joined, Subject
from ovsnet.model.errors import OvsnetError, Unavailable

NAME = "OVN"
PROGRAMS = ("ovn-northd", "ovn-nbctl", "ovn-controller")
SCHEMAS = Path("/usr/share/ovn")
NORTH, SOUTH = "nb", "sb"
NAMES = {NORTH: "OVN_Northbound", SOUTH: "OVN_Southbound"}
PORT = 6642
"""Where OVN's southbound database listens by custom."""
INNER_MTU = 1442
"""Geneve with OVN's option takes 58 bytes."""
SWITCH = "bench"
IN_FORCE = 30
"""Seconds until everything is where it belongs."""


def ovn(ground: Ground, datapath: str) -> Subject:
    """A logical switch without rules."""

    async def build(stack: AsyncExitStack) -> Joined:
        lacking = [it for it in PROGRAMS if shutil.which(it) is None]
        if lacking:
            raise Unavailable(lacking[0], "it is not installed: apt-get install ovn-central ovn-host")
        hosts = await ground.hosts("n")
        stations = []
        for host in hosts:
            folder = ground.folder / Path(host.namespace).name
            stations.append(Station(folder, datapath=datapath, namespace=host.namespace))
        for number, station in enumerate(stations):
            stack.push_async_callback(station.crew.close)
            await _open_host(station, number, datapath)
        await _open_center(stations[0])
        for station in stations:
            await _start(station, "ovn-controller", f"unix:{station.settings.ovsdb_socket}")
        ends = await _ends(ground, stations, datapath)
        await _in_force(stations[0])
        return Joined(NAME, *ends)

    return Subject(NAME, "a logical switch of OVN, over Geneve", build)


async def _open_host(station: Station, number: int, datapath: str) -> None:
    await station.open_switch()
    await (hold_wire(station, number) if datapath == USERSPACE else give_address(station.crew, number))
    said = {
        "system-id": f"bench{number}",
        "ovn-remote": f"tcp:{ADDRESSES[0]}:{PORT}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": ADDRESSES[number],
        "ovn-bridge-datapath-type": datapath,
    }
    await station.vsctl("set", "Open_vSwitch", ".", *(f'external_ids:{key}="{it}"' for key, it in said.items()))


async def _open_center(station: Station) -> None:
    """The databases, what they want, and the program that makes flows of it."""
    for short in (NORTH, SOUTH):
        file, listener = station.folder / f"{short}.db", f"--remote=punix:{_socket(station, short)}"
        await station.crew.call("ovsdb-tool", "create", str(file), str(SCHEMAS / f"ovn-{short}.ovsschema"))
        also = (f"--remote=ptcp:{PORT}:{ADDRESSES[0]}",) if short == SOUTH else ()
        await station.crew.start("ovsdb-server", str(file), listener, *also)
        await answers(_socket(station, short))
    places = (f"--ovnnb-db=unix:{_socket(station, NORTH)}", f"--ovnsb-db=unix:{_socket(station, SOUTH)}")
    await _start(station, "ovn-northd", *places)
    wanted = ["ls-add", SWITCH]
    for number, address in enumerate(INNER):
        wanted += ["--", "lsp-add", SWITCH, f"p{number}", "--", "lsp-set-addresses", f"p{number}"]
        wanted += [f"{_mac(number)} {address.partition('/')[0]}"]
    await station.crew.call("ovn-nbctl", f"--db=unix:{_socket(station, NORTH)}", *wanted)


async def _ends(ground: Ground, stations: Sequence[Station], datapath: str) -> Sequence[End]:
    ends = []
    for number, (station, container) in enumerate(zip(stations, await ground.containers("nc"), strict=True)):
        end = await plug(station.crew, container, number, port=f"p{number}", mtu=INNER_MTU)
        await container.call("ip", "link", "set", "eth0", "address", _mac(number))
        if datapath == USERSPACE:
            # This datapath hands packets on as they are, without a checksum too.
            await container.call("ethtool", "-K", "eth0", "tx", "off")
        interface = ("--", "set", "Interface", f"p{number}", f"external_ids:iface-id=p{number}")
        # The controller makes the bridge in its own time.
        await station.vsctl("wait-until", "Bridge", "br-int")
        await station.vsctl("add-port", "br-int", f"p{number}", *interface)
        ends.append(end)
    return ends


async def _in_force(station: Station) -> None:
    """Returns when both controllers say that their switches have what is wanted."""
    try:
        wait = (f"--timeout={IN_FORCE}", "--wait=hv", "sync")
        await station.crew.call("ovn-nbctl", f"--db=unix:{_socket(station, NORTH)}", *wait)
    except OvsnetError:
        # Most often: Linux without zones, marks and labels of connections, which OVN's flows name in any case.
        reason = f"its flows are not in force within {IN_FORCE} s; its last words: {station.crew.last_words()}"
        raise Unavailable(NAME, reason) from None


async def _start(station: Station, *command: str) -> None:
    folder = station.folder
    places = (f"OVN_RUNDIR={folder}", f"OVN_LOGDIR={folder}", f"OVN_DBDIR={folder}")
    await station.crew.start("env", *places, *command)


def _socket(station: Station, short: str) -> Path:
    return station.folder / f"{short}.sock"


def _mac(number: int) -> str:
    return f"0a:04:00:00:00:{number + 1:02x}"
