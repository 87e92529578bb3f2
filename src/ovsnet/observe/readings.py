"""Reads a host for the doctor: programs, sockets and files, each with a deadline. Judges nothing, changes
nothing.

Works without the agent and without Open vSwitch or an engine: what cannot be read is a reading, too.
"""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from ovsnet.linux.trunk import Nic, look_at
from ovsnet.model.errors import OvsnetError
from ovsnet.observe.confinement import ConfinementReading
from ovsnet.observe.confinement_readings import read_confinement
from ovsnet.observe.member_readings import MemberReadings, read_member
from ovsnet.observe.offload import OffloadReading, arguments, counted, settings_in
from ovsnet.observe.programs import DEADLINE, Said, run
from ovsnet.observe.trunk_findings import TrunkReading
from ovsnet.observe.unixget import get
from ovsnet.plan.names import ALIAS_PREFIX, OWNER_KEY
from ovsnet.settings import Settings

DHCP_CLIENT = "dhcpcd"
PROGRAMS = ("ovs-vsctl", "ovs-ofctl", "ovs-appctl", "ovsdb-server", "ovsdb-tool", DHCP_CLIENT)


@dataclass(frozen=True, slots=True)
class Switch:
    """Open vSwitch. `database` is the schema's version, `daemon` that of ovs-vswitchd. `owner` is the mark on
    the bridge that has our name: None without such a bridge, "" without a mark.
    """

    database: Said
    daemon: Said
    datapaths: tuple[str, ...] = ()
    tso: bool = False
    owner: str | None = None
    ports: int = 0
    lost_upcalls: int | None = None
    offload: OffloadReading = field(default_factory=OffloadReading)


@dataclass(frozen=True, slots=True)
class Engine:
    """The Docker engine."""

    version: str = ""
    api: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Firewall:
    """The policy for forwarded packets, "" where `why` says that it cannot be read."""

    policy: str = ""
    engine_rules: bool = False
    forwarding: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """The state directory. `free` is bytes on its file system, or of the nearest parent that exists."""

    writable: bool
    free: int


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything the doctor looks at."""

    root: bool
    kernel: str
    module: str
    """loaded, loadable or absent."""
    switch: Switch
    engine: Engine
    plugin: Said
    agent: Said
    firewall: Firewall
    disk: Disk
    missing: tuple[str, ...] = ()
    """Programs that are not installed."""
    links: tuple[str, ...] = ()
    """Interfaces of this host that carry our mark."""
    uplinks: tuple[tuple[str, int], ...] = field(default=())
    """Interfaces with a default route, and their MTU in bytes."""
    member: MemberReadings = field(default_factory=MemberReadings)
    trunk: TrunkReading = field(default_factory=TrunkReading)
    confinement: ConfinementReading = field(default_factory=ConfinementReading)


def read_host(settings: Settings) -> Readings:
    """Look at everything; takes as long as what does not answer, at most a few deadlines."""
    return Readings(
        root=os.geteuid() == 0,
        kernel=os.uname().release,
        module=_module(),
        switch=_switch(settings),
        engine=_engine(settings.docker_socket),
        plugin=_listens(settings.plugin_socket),
        agent=_listens(settings.api_socket),
        firewall=_firewall(),
        disk=_disk(Path(settings.state_dir)),
        missing=tuple(it for it in PROGRAMS if shutil.which(it) is None),
        links=_marked_links(),
        uplinks=_uplinks(),
        member=read_member(settings),
        trunk=_trunk(settings),
        confinement=read_confinement(),
    )


def _module() -> str:
    if Path("/sys/module/openvswitch").exists():
        return "loaded"
    return "absent" if run(("modinfo", "-n", "openvswitch")).why else "loadable"


def _trunk(settings: Settings) -> TrunkReading:
    name = settings.trunk
    if not name:
        return TrunkReading()
    vsctl = _vsctl(settings)
    is_bridge = not run((*vsctl, "br-exists", name)).why
    try:
        nic = asyncio.run(look_at(name))
    except OvsnetError as error:
        nic = Nic(name, obstacle=str(error))
    return TrunkReading(nic, is_bridge, run((*vsctl, "port-to-br", name)).text)


def _vsctl(settings: Settings) -> Sequence[str]:
    return ("ovs-vsctl", f"--db=unix:{settings.ovsdb_socket}", f"--timeout={DEADLINE:g}", "--no-wait")


def _switch(settings: Settings) -> Switch:
    vsctl = _vsctl(settings)
    database = run((*vsctl, "get", "Open_vSwitch", ".", "db_version"))
    daemon = _daemon(settings.ovs_run_dir)
    if database.why:
        return Switch(database, daemon)
    mark = f"external_ids:{OWNER_KEY}={settings.instance}"
    other_config = run((*vsctl, "get", "Open_vSwitch", ".", "other_config")).text
    return Switch(
        database=database,
        daemon=daemon,
        datapaths=tuple(_cells(run((*vsctl, "get", "Open_vSwitch", ".", "datapath_types")).text)),
        tso='userspace-tso-enable="true"' in other_config,
        owner=_owner(run((*vsctl, "--if-exists", "get", "Bridge", settings.bridge, "external_ids"))),
        ports=sum(
            # The bridge's own port goes with the bridge.
            it != [settings.bridge]
            for it in _rows(run((*vsctl, "--format=json", "--columns=name", "find", "Port", mark)))
        ),
        lost_upcalls=_lost(run(("ovs-appctl", f"--timeout={DEADLINE:g}", "dpctl/show", "system@ovs-system"))),
        offload=_offload(settings.ovs_run_dir, other_config),
    )


def _offload(run_dir: str, other_config: str) -> OffloadReading:
    """Flows are asked for only where some may be offloaded: it costs a look at all there are."""
    on, policy = settings_in(other_config)
    if not on:
        return OffloadReading()
    ask = ("ovs-appctl", f"--timeout={DEADLINE:g}")
    datapaths = run((*ask, "dpctl/dump-dps"), OVS_RUNDIR=run_dir)
    dumps = [run((*ask, *arguments(it)), OVS_RUNDIR=run_dir) for it in datapaths.text.split()]
    why = next((it.why for it in (datapaths, *dumps) if it.why), "")
    return OffloadReading(on, policy, why=why) if why else counted(policy, (it.text for it in dumps))


def _daemon(run_dir: str) -> Said:
    """The version ovs-vswitchd gives of itself: `ovs-vswitchd (Open vSwitch) 3.5.0`; the database's is
    optional.
    """
    said = run(("ovs-appctl", f"--timeout={DEADLINE:g}", "version"), OVS_RUNDIR=run_dir)
    first = said.text.partition("\n")[0]
    return Said(first.rpartition(" ")[2], said.why)


def _cells(text: str) -> Iterable[str]:
    """The words of an OVSDB set as ovs-vsctl prints it: `[netdev, system]`."""
    return (it.strip(' "') for it in text.strip("[]").split(",") if it.strip())


def _owner(said: Said) -> str | None:
    """From a map as ovs-vsctl prints it: `{ovsnet-owner=ovsnet}`; no text means no such bridge."""
    if said.why or not said.text:
        return None
    pairs = (it.strip().partition("=") for it in said.text.strip("{}").split(","))
    return next((value.strip('"') for key, _, value in pairs if key.strip('"') == OWNER_KEY), "")


def _rows(said: Said) -> list[object]:
    return list(json.loads(said.text)["data"]) if said.text else []


def _lost(said: Said) -> int | None:
    """From `lookups: hit:10 missed:4 lost:0`; None without a kernel datapath."""
    words = said.text.split()
    lost = next((it.removeprefix("lost:") for it in words if it.startswith("lost:")), "")
    return int(lost) if lost.isdigit() else None


def _engine(path: str) -> Engine:
    try:
        status, body = get(path, "/version", DEADLINE)
        said = json.loads(body) if status == 200 else {}
        return Engine(version=str(said["Version"]), api=str(said["ApiVersion"]))
    except OSError as error:
        return Engine(why=error.strerror or str(error))
    except (HTTPException, ValueError, KeyError):
        return Engine(why="what listens there is not a Docker engine")


def _listens(path: str) -> Said:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(DEADLINE)
        try:
            probe.connect(path)
        except OSError as error:
            return Said(why=error.strerror or str(error))
    return Said(text=path)


def _firewall() -> Firewall:
    rules = run(("iptables", "-w", "1", "-S"))
    policy = next((it.split()[2] for it in rules.text.splitlines() if it.startswith("-P FORWARD")), "")
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    return Firewall(
        policy=policy,
        engine_rules="DOCKER" in rules.text,
        forwarding=forward.read_text().strip() == "1",
        why=rules.why,
    )


def _disk(path: Path) -> Disk:
    there = next(it for it in (path, *path.parents) if it.exists())
    return Disk(writable=os.access(there, os.W_OK | os.X_OK), free=shutil.disk_usage(there).free)


def _marked_links() -> tuple[str, ...]:
    marked = []
    for device in sorted(Path("/sys/class/net").iterdir()):
        try:
            if (device / "ifalias").read_text().startswith(ALIAS_PREFIX):
                marked.append(device.name)
        except OSError:  # it went away while we looked, or is a file (bonding_masters)
            continue
    return tuple(marked)


def _uplinks() -> tuple[tuple[str, int], ...]:
    """Interfaces with a default route of either family: destination and mask (or prefix length) are zero."""
    v4 = (it.split() for it in _lines("/proc/net/route")[1:])
    v6 = (it.split() for it in _lines("/proc/net/ipv6_route"))
    names = {it[0] for it in v4 if it[1] == it[7] == "00000000"}
    names |= {it[9] for it in v6 if it[0] == "0" * 32 and it[1] == "00" and it[9] != "lo"}
    found = ((it, Path("/sys/class/net", it, "mtu")) for it in sorted(names))
    return tuple((name, int(mtu.read_text())) for name, mtu in found if mtu.exists())


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:  # a kernel without IPv6
        return []
