"""Is this host fit for us, and what to do where it is not. Pure apart from `examine`, which reads the host
first.

Every subject gets one finding, also when all is well: the list shows what was looked at.
"""

import re
import time
from collections.abc import Callable, Sequence

from ovsnet.observe import member_findings
from ovsnet.observe.confinement import AS_ROOT, confinement
from ovsnet.observe.findings import Finding, ok, problem, warning
from ovsnet.observe.offload import offload
from ovsnet.observe.readings import DHCP_CLIENT, Readings, read_host
from ovsnet.observe.trunk_findings import trunk
from ovsnet.settings import Settings

OLDEST_OVS = (3, 1)
OLDEST_ENGINE = (20, 10)
LITTLE_SPACE, NO_SPACE = 100 << 20, 10 << 20
"""Bytes: below the first we warn, below the second the store cannot be relied on."""
USUAL_MTU = 1500
SHOWN = 5
"""So many leftover interfaces are named."""
DENIED = "Permission denied"
"""strerror(EACCES), also in what the programs print."""
START_OVS = "start Open vSwitch (Debian: systemctl restart openvswitch-switch)"


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at this host and judge it."""
    return diagnose(read_host(settings), settings)


def diagnose(host: Readings, settings: Settings) -> tuple[Finding, ...]:
    """One finding per subject."""
    subjects: Sequence[Callable[[Readings, Settings], Finding]] = (
        _rights,
        _programs,
        _kernel,
        _database,
        _switch,
        _datapath,
        _offload,
        lambda it, _: offload(it.switch.offload),
        _upcalls,
        _engine,
        _plugin,
        _agent,
        _bridge,
        _leftovers,
        _firewall,
        _uplink,
        _store,
        lambda it, _: member_findings.certificate(it.member, time.time()),
        lambda it, chosen: member_findings.ports(it.member, chosen),
        lambda it, chosen: member_findings.members(it.member, chosen),
        lambda it, chosen: trunk(it.trunk, chosen),
        lambda it, _: confinement(it.confinement),
    )
    return tuple(_within_rights(it(host, settings), host) for it in subjects)


def _within_rights(finding: Finding, host: Readings) -> Finding:
    """What an ordinary user may not look at may be all right."""
    if host.root or DENIED not in finding.says:
        return finding
    return warning(finding.subject, f"cannot be looked at: {DENIED}", AS_ROOT)


def _rights(host: Readings, _: Settings) -> Finding:
    if host.root:
        return ok("rights", "root: everything can be looked at")
    return warning("rights", "not root: not everything can be looked at", AS_ROOT)


def _programs(host: Readings, _: Settings) -> Finding:
    if host.missing == (DHCP_CLIENT,):
        says = f"not installed: {DHCP_CLIENT}; interfaces cannot be attached with --dhcp, all else can"
        return warning("programs", says, "on Debian: apt-get install dhcpcd-base")
    if not host.missing:
        return ok("programs", "the programs of Open vSwitch and the DHCP client are installed")
    says = f"not installed: {', '.join(host.missing)}"
    return problem("programs", says, "install Open vSwitch; on Debian: apt-get install openvswitch-switch")


def _kernel(host: Readings, settings: Settings) -> Finding:
    if host.module == "loaded":
        return ok("kernel", f"{host.kernel}, openvswitch module loaded")
    if host.module == "loadable":
        return ok("kernel", f"{host.kernel}, openvswitch module not loaded; starting Open vSwitch loads it")
    says = f"{host.kernel} has no openvswitch module"
    if settings.datapath == "system":
        remedy = "set datapath=auto, or install the module"
        return problem("kernel", f"{says} and datapath=system asks for it", remedy)
    return warning(
        "kernel",
        f"{says}: the userspace datapath is used, which is slower and has no -o port=internal",
        "for full speed boot a kernel with CONFIG_OPENVSWITCH; nothing to do otherwise",
    )


def _database(host: Readings, settings: Settings) -> Finding:
    said = host.switch.database
    if not said.why:
        return ok("switch database", f"answers on {settings.ovsdb_socket}")
    remedy = f"{START_OVS}, or correct the setting ovsdb_socket"
    return problem("switch database", f"no answer on {settings.ovsdb_socket}: {said.why}", remedy)


def _switch(host: Readings, _: Settings) -> Finding:
    if host.switch.daemon.why:
        remedy = f"{START_OVS}; its log is in /var/log/openvswitch"
        return problem("ovs-vswitchd", f"does not answer: {host.switch.daemon.why}", remedy)
    found = host.switch.daemon.text
    if _version(found) < OLDEST_OVS:
        says = f"{found} is older than what we test"
        return warning("ovs-vswitchd", says, "install Open vSwitch 3.1 or newer")
    return ok("ovs-vswitchd", f"runs, {found}")


def _datapath(host: Readings, settings: Settings) -> Finding:
    offered = host.switch.datapaths
    if not offered:
        return warning("datapath", "not known while Open vSwitch does not answer", "start Open vSwitch")
    if settings.datapath != "auto" and settings.datapath not in offered:
        says = f"datapath={settings.datapath} is set, Open vSwitch offers {', '.join(offered)}"
        return problem("datapath", says, "set datapath=auto")
    return ok("datapath", f"setting {settings.datapath}; Open vSwitch offers {', '.join(offered)}")


def _offload(host: Readings, settings: Settings) -> Finding:
    subject = "checksum offload"
    userspace = settings.datapath == "netdev" or host.module == "absent"
    if not userspace:
        return ok(subject, "left on: the kernel datapath completes checksums")
    if host.switch.tso:
        return ok(subject, "left on: userspace-tso-enable is true in Open vSwitch")
    return ok(
        subject,
        "switched off on our ports: the userspace datapath hands on packets as they are. Open vSwitch's "
        "other_config:userspace-tso-enable=true makes local TCP faster",
    )


def _upcalls(host: Readings, _: Settings) -> Finding:
    lost = host.switch.lost_upcalls
    if not lost:
        return ok("upcalls", "none lost" if lost == 0 else "no kernel datapath in use")
    return warning(
        "upcalls",
        f"the kernel datapath lost {lost} first packets of flows since it started",
        "if the number grows, restart ovs-vswitchd: before 3.5 it may start without handler threads on a "
        "host that has just booted",
    )


def _engine(host: Readings, settings: Settings) -> Finding:
    subject, engine = "Docker engine", host.engine
    if engine.why:
        remedy = "start it (systemctl start docker), or correct the setting docker_socket"
        return problem(subject, f"no answer on {settings.docker_socket}: {engine.why}", remedy)
    if _version(engine.version) < OLDEST_ENGINE:
        says = f"{engine.version} is older than what we test"
        return warning(subject, says, "install Docker Engine 20.10 or newer")
    return ok(subject, f"{engine.version}, API {engine.api}")


def _plugin(host: Readings, settings: Settings) -> Finding:
    subject = "plugin socket"
    if not host.plugin.why:
        return ok(subject, f"something listens on {settings.plugin_socket}")
    return problem(
        subject,
        f"nobody listens on {settings.plugin_socket} ({host.plugin.why}): Docker cannot reach us",
        "start the agent: systemctl start ovsnet, or run 'ovsnet agent' as root",
    )


def _agent(host: Readings, settings: Settings) -> Finding:
    if not host.agent.why:
        return ok("agent", f"listens on {settings.api_socket}; 'ovsnet status' tells how it is")
    says = f"nobody listens on {settings.api_socket} ({host.agent.why})"
    return problem("agent", says, "start it: systemctl start ovsnet, or run 'ovsnet agent' as root")


def _bridge(host: Readings, settings: Settings) -> Finding:
    owner = host.switch.owner
    if owner is None:
        return ok("bridge", f"{settings.bridge} does not exist yet; the agent makes it")
    if owner != settings.instance:
        says = f"{settings.bridge} is not ours (owner {owner or 'unknown'}): the agent does not touch it"
        return problem("bridge", says, "give us another name with the setting bridge, or remove that bridge")
    return ok("bridge", f"{settings.bridge} is ours")


def _leftovers(host: Readings, _: Settings) -> Finding:
    ours = " and ".join(_counted(host))
    if not ours:
        return ok("leftovers", "no port or interface of ours")
    if not host.agent.why:
        return ok("leftovers", f"{ours} of ours, looked after by the agent; 'ovsnet check' compares")
    return warning(
        "leftovers",
        f"no agent runs and there are {ours} of ours",
        "start the agent, which takes them over; or stop the containers on our networks and take away "
        "everything of ours with 'ovsnet uninstall'",
    )


def _counted(host: Readings) -> Sequence[str]:
    """How much of ours there is, where there is any."""
    more = ", …" if len(host.links) > SHOWN else ""
    ports = _amount(host.switch.ports, "port")
    links = f"{_amount(len(host.links), 'interface')} ({', '.join(host.links[:SHOWN])}{more})"
    return [text for text, there in ((ports, host.switch.ports), (links, host.links)) if there]


def _amount(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _firewall(host: Readings, _: Settings) -> Finding:
    wall = host.firewall
    if not wall.forwarding:
        says = "net.ipv4.ip_forward is 0: containers reach each other but nothing outside"
        return warning("firewall", says, "sysctl -w net.ipv4.ip_forward=1 (the engine does it unless told not to)")
    if wall.why:
        says = f"its rules cannot be read: {wall.why}"
        return warning("firewall", says, "look at the policy for forwarded packets by hand")
    if wall.policy == "DROP" and not wall.engine_rules:
        return warning(
            "firewall",
            "FORWARD drops by default and the engine has no rules there: containers reach nothing outside",
            "let the engine manage its rules (remove iptables=false from its configuration)",
        )
    return ok("firewall", f"FORWARD policy {wall.policy}; traffic inside our networks does not pass it")


def _uplink(host: Readings, _: Settings) -> Finding:
    if not host.uplinks:
        says = "no default route: containers reach nothing outside this host"
        return warning("uplink", says, "nothing if that is meant, else add a default route")
    said = ", ".join(f"{name} with MTU {mtu}" for name, mtu in host.uplinks)
    smallest = min(mtu for _, mtu in host.uplinks)
    if smallest < USUAL_MTU:
        return warning(
            "uplink",
            f"{said}: smaller than our networks' {USUAL_MTU}; large packets to the outside may be lost",
            f"create networks with -o mtu={smallest}",
        )
    return ok("uplink", said)


def _store(host: Readings, settings: Settings) -> Finding:
    free = f"{host.disk.free >> 20} MiB free"
    if host.root and not host.disk.writable:
        says = f"{settings.state_dir} cannot be written"
        return problem("store", says, "mount it writable, or set state_dir")
    if host.disk.free < NO_SPACE:
        says = f"{settings.state_dir}: {free}; allocations may not be kept"
        return problem("store", says, "make room on that disk")
    if host.disk.free < LITTLE_SPACE:
        return warning("store", f"{settings.state_dir}: only {free}", "make room on that disk")
    return ok("store", f"{settings.state_dir}, {free}")


def _version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version; () for a text without any, which is older than everything."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(it) for it in found.group().split(".")) if found else ()
