"""`ovsnet lease ls`."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import Lease
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table


@click.group(short_help="List the addresses in use.")
def lease() -> None:
    """List the addresses in use."""


@lease.command("ls", short_help="List addresses that are held, and those that rest after their release.")
@options.as_json
@options.api_socket
def list_leases(agent: Client, *, as_json: bool) -> None:
    """List addresses that are held, and those that rest after their release."""
    body = agent.body("/v1/leases")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[Lease, ...])))


def table_of(leases: tuple[Lease, ...]) -> Table:
    """One line per address."""
    return Table(
        heads=("ADDRESS", "SUBNET", "SPACE", "KIND", "HOLDER", "STATE", "SINCE"),
        rows=[
            (
                it.address,
                it.subnet,
                it.space,
                it.kind,
                it.holder,
                it.state,
                f"{it.since:%Y-%m-%dT%H:%M:%SZ}" if it.since else "",
            )
            for it in leases
        ],
        empty="No address is in use.",
    )
