"""`ovsnet uplink …`: NICs of this host that are ports of a bridge."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done
from ovsnet.api.schema import UplinkInfo
from ovsnet.api.uplink_orders import UplinkOrder, UplinkRemoval
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table

SPARE = 60.0
"""Seconds for what comes before a move and after it."""


@click.group(short_help="Move a NIC of this host into a bridge and back.")
def uplink() -> None:
    """Move a NIC of this host into a bridge and back, with its addresses and routes."""


@uplink.command("ls", short_help="List the NICs that are in a bridge.")
@options.as_json
@options.api_socket
def list_uplinks(agent: Client, *, as_json: bool) -> None:
    """List the NICs that were moved into a bridge."""
    body = agent.body("/v1/uplinks")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[UplinkInfo, ...])))


@uplink.command("add", short_help="Move a NIC and its addresses into a bridge.")
@click.argument("nic")
@click.option("--bridge", default="", metavar="BRIDGE", help="The OVS bridge; without it one is made: br-NIC.")
@click.option("--probe", default="", metavar="ADDRESS", help="Who must answer; without it the default gateways.")
@click.option(
    "--commit-within",
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Everything is put back when nobody answers until then.",
)
@click.option("--force", is_flag=True, help="Also when nobody answers before, or a DHCP client is at work there.")
@options.api_socket
def add(agent: Client, nic: str, bridge: str, probe: str, commit_within: float, *, force: bool) -> None:
    """Make NIC a port of a bridge of Open vSwitch, whose own port gets the NIC's addresses, routes and MAC.

    Who answered before must answer afterwards, or everything is put back by itself; also when the agent is killed
    meanwhile. A bridge that exists already is used, and stays its owner's.
    """
    order = UplinkOrder(nic=nic, bridge=bridge, probe=probe, commit_within=commit_within, force=force)
    click.echo(agent.order("/v1/uplinks/add", order, Done, timeout=commit_within + SPARE).message)


@uplink.command("rm", short_help="Give a NIC its addresses back.")
@click.argument("nic")
@options.api_socket
def remove(agent: Client, nic: str) -> None:
    """Take NIC out of its bridge and give it the addresses and routes back that are there now."""
    click.echo(agent.order("/v1/uplinks/remove", UplinkRemoval(nic=nic), Done, timeout=SPARE).message)


def table_of(uplinks: tuple[UplinkInfo, ...]) -> Table:
    """One line per NIC."""
    return Table(
        heads=("NIC", "BRIDGE", "HELD", "STATE", "ADDRESSES", "GATEWAYS", "SINCE"),
        rows=[
            (
                it.nic,
                it.bridge,
                it.held,
                it.state,
                ", ".join(it.addresses),
                ", ".join(it.gateways),
                f"{it.since:%Y-%m-%dT%H:%M:%SZ}",
            )
            for it in uplinks
        ],
        empty="No NIC of this host is an uplink. Make one: ovsnet uplink add NIC",
    )
