"""What a member's agent tells people of its cluster, each time with what to do. Pure."""

from collections.abc import Collection

from ovsnet.model.cluster import Encapsulation
from ovsnet.model.ids import HostName


def behind(hosts: Collection[HostName], version: str) -> tuple[str, ...]:
    """Hosts whose older build keeps the database from getting the schema of ours."""
    names = ", ".join(hosts)
    what = f"The cluster's database keeps its older form until these hosts run ovsnet {version} or newer: {names}"
    return (f"{what}. Upgrade them, or 'ovsnet cluster forget' those that are gone.",) if names else ()


def joined_packets(device: str) -> str:
    """The interface of the VTEP hands up joined packets to a userspace datapath without TSO."""
    what = f"Interface {device} joins packets that come in (GRO), which Open vSwitch takes with TSO only"
    off = f"'ethtool -K {device} gro off'"
    tso = "'ovs-vsctl set open . other_config:userspace-tso-enable=true' on all hosts and a restart of ovs-vswitchd"
    return f"{what}: what comes through tunnels may be lost. {off}, or {tso}."


def leads_nowhere(device: str) -> str:
    """The VTEP's interface is no port of a bridge of the userspace datapath."""
    what = "No packet gets to other hosts: Open vSwitch's own tunnels of the userspace datapath leave by a bridge"
    remedy = f"'ovsnet cluster leave', 'ovsnet uplink add {device}', then join again with the bridge as --vtep"
    return f"{what} of it, and this host's tunnel end is on {device}, which is on none. {remedy}."


def has_no_kernel_device(encapsulation: Encapsulation) -> str:
    """The setting asks for what is not there."""
    what = f"tunnel=kernel is set, and the kernel has no such devices for {encapsulation.called}"
    return f"{what}: the tunnels of this cluster are Open vSwitch's own. Leave the setting out."


def fenced(containers: Collection[str]) -> tuple[str, ...]:
    """Containers that must keep still, by name."""
    if not containers:
        return ()
    whose = f"Containers of this host have addresses that are another host's by now: {', '.join(sorted(containers))}"
    return (f"{whose}. They reach nobody; restart them, and they get others.",)
