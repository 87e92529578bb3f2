"""`ovsnet pipework …`: pipework's command line, carried out by the agent.

Installed under its name (`ovsnet-pipework` linked as `pipework`) it takes the script's place. What it attaches is
remembered like everything, and leases are renewed.
"""

import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from ovsnet.api.attach_orders import Attached, RouteOrder, SetOrder
from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done
from ovsnet.api.schema import UplinkInfo
from ovsnet.cli.pipework_words import SYNTAX, ChangeRoute, Kind, Syntax, WaitHere, read
from ovsnet.cli.shim import FAILED, Shim
from ovsnet.model.errors import BadRequest

INTERFACES = Path("/sys/class/net")
INFINIBAND = "32"
"""ARPHRD_INFINIBAND."""
DEADLINE = 10.0
"""Seconds `ovs-vsctl` has to answer."""
LINK_EVENTS = 1
"""RTMGRP_LINK: the kernel tells of links that come, go and change."""


def carry_out(agent: Client, words: Sequence[str], _: str) -> int:
    """Do what the words say; returns the exit code."""
    meaning = read(words, lambda name: kind_of(agent, name), name_of)
    if isinstance(meaning, Syntax):
        click.echo(SYNTAX)
        return FAILED
    if isinstance(meaning, WaitHere):
        wait_for_carrier(meaning.ifname)
    elif isinstance(meaning, ChangeRoute):
        about = "route" if isinstance(meaning.order, RouteOrder) else "rule"
        agent.order(f"/v1/attachments/{about}/{meaning.verb}", meaning.order, Done)
    elif isinstance(meaning, SetOrder):
        agent.order("/v1/attachments/set", meaning, Done)
    else:
        agent.order("/v1/attachments/attach", meaning, Attached)
    return 0


def kind_of(agent: Client, interface: str) -> Kind:
    """What that interface of the host is."""
    folder = INTERFACES / interface
    if "/" in interface or not interface or not folder.exists():
        return Kind.OVS_BRIDGE if _is_ovs_bridge(interface) else Kind.ABSENT
    if folder.joinpath("bridge").exists():
        return Kind.LINUX_BRIDGE
    if _is_ovs_bridge(interface):
        return Kind.OVS_BRIDGE
    if folder.joinpath("type").read_text().strip() == INFINIBAND:
        return Kind.IPOIB
    wireless = any(folder.joinpath(it).exists() for it in ("wireless", "phy80211"))
    if wireless:
        return Kind.WIRELESS
    uplinks = decode(agent.body("/v1/uplinks"), tuple[UplinkInfo, ...])
    return Kind.UPLINK if any(it.nic == interface for it in uplinks) else Kind.NIC


def name_of(mac: str) -> str:
    """The interface of the host with that MAC; "" for none."""
    for folder in sorted(INTERFACES.iterdir()):
        with suppress(OSError):
            if folder.joinpath("address").read_text().strip().lower() == mac:
                return folder.name
    return ""


def wait_for_carrier(interface: str) -> None:
    """Return when an interface of this namespace has a carrier; it need not be there yet, and there is no deadline."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, LINK_EVENTS))  # before the first look, so that nothing happens unseen
        while not _has_carrier(interface):
            with suppress(OSError):  # ENOBUFS: events were lost, look again
                kernel.recv(1 << 16)


def _has_carrier(interface: str) -> bool:
    with suppress(OSError):  # EINVAL while it is down
        return INTERFACES.joinpath(interface, "carrier").read_text().strip() == "1"
    return False


def _is_ovs_bridge(name: str) -> bool:
    try:
        command = ("ovs-vsctl", f"--timeout={DEADLINE:g}", "br-exists", name)
        done = subprocess.run(command, capture_output=True, check=False, timeout=2 * DEADLINE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadRequest("Need OVS installed on the system to create an ovs bridge") from error
    return done.returncode == 0


SHIM = Shim("pipework", carry_out)
pipework = SHIM.verb(
    "Work like the pipework script.",
    "Work like the pipework script: give a guest an interface. Without words it shows its syntax.",
)
main = SHIM.main
