"""`ovsnet ps`."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import EndpointInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.ids import short


@click.command(short_help="List container interfaces, from the switch database.")
@options.as_json
@options.api_socket
def ps(agent: Client, *, as_json: bool) -> None:
    """List container interfaces, from the switch database.

    Also those that should be on the switch and are not, with the reason.
    """
    body = agent.body("/v1/endpoints")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[EndpointInfo, ...])))


def table_of(endpoints: tuple[EndpointInfo, ...]) -> Table:
    """One line per interface."""
    return Table(
        heads=("CONTAINER", "NETWORK", "ADDRESSES", "MAC", "VLAN", "PORT", "OFPORT", "IN FORCE"),
        rows=[
            (
                it.container or short(it.container_id),
                it.network or short(it.network_id),
                ", ".join(it.addresses),
                it.mac,
                str(it.vlan or ""),
                it.port,
                str(it.ofport or ""),
                "yes" if it.in_force else f"no: {it.reason}",
            )
            for it in endpoints
        ],
        empty="No container is on a network of ours.",
    )
