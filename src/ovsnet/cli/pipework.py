"""`ovsnet pipework …`: pipework's command line, carried out by the agent.

Installed under its name (`ovsnet-pipework` linked as `pipework`) it takes the script's place. What it attaches is
remembered like everything, and leases are renewed.
"""

import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from ovsnet.api.attach_orders import Attached
from ovsnet.api.client import Client
from ovsnet.api.orders import Done
from ovsnet.cli import options
from ovsnet.cli.pipework_words import SYNTAX, ChangeRoute, Kind, Syntax, WaitHere, read
from ovsnet.model.errors import BadRequest, OvsnetError

FAILED = 1
INTERFACES = Path("/sys/class/net")
INFINIBAND = "32"
"""ARPHRD_INFINIBAND."""
DEADLINE = 10.0
"""Seconds `ovs-vsctl` has to answer."""
LINK_EVENTS = 1
"""RTMGRP_LINK: the kernel tells of links that come, go and change."""


@click.command(
    "pipework",
    short_help="Work like the pipework script.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@options.api_socket
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def pipework(context: click.Context, agent: Client, words: tuple[str, ...]) -> None:
    """Work like the pipework script: give a guest an interface. Without words it shows its syntax."""
    context.exit(run(agent, words, "pipework"))


def main() -> None:
    """The entry point of its own; ends the process."""
    sys.exit(run(options.default_client(), sys.argv[1:], Path(sys.argv[0]).name))


def run(agent: Client, words: Sequence[str], name: str) -> int:
    """Do what the words say; returns the exit code."""
    try:
        meaning = read(words, kind_of, name_of)
        if isinstance(meaning, Syntax):
            click.echo(SYNTAX)
            return FAILED
        if isinstance(meaning, WaitHere):
            wait_for_carrier(meaning.ifname)
        elif isinstance(meaning, ChangeRoute):
            agent.order(f"/v1/attachments/route/{meaning.verb}", meaning.order, Done)
        else:
            agent.order("/v1/attachments/attach", meaning, Attached)
    except OvsnetError as error:
        click.echo(f"{name}: {error}", err=True)
        return FAILED
    return 0


def kind_of(interface: str) -> Kind:
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
    return Kind.WIRELESS if wireless else Kind.NIC


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
