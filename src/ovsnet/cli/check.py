"""`ovsnet check`."""

import sys

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import CheckReport
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table


@click.command(short_help="Compare this host with what is wanted.")
@options.as_json
@options.api_socket
def check(agent: Client, *, as_json: bool) -> None:
    """Compare this host with what is wanted: bridge, ports, links, flows.

    Exits 0 when they are the same, 1 when not, 2 when the agent does not answer. Changes nothing; what
    differs is repaired by the agent.
    """
    body = agent.body("/v1/check")
    found = decode(body, CheckReport)
    if as_json:
        show_json(body)
    else:
        show_table(table_of(found))
    sys.exit(0 if found.clean else 1)


def table_of(found: CheckReport) -> Table:
    """One line per resource that is not as wanted."""
    return Table(
        heads=("KIND", "STATE", "RESOURCE", "WANTED", "FOUND"),
        rows=[(it.kind, it.state, it.key, it.want, it.have) for it in found.items],
        empty="Clean: everything wanted is in force, and nothing of ours is left over.",
    )
