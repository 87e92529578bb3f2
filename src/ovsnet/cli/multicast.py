"""`ovsnet multicast ls`."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import GroupInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table


@click.group(short_help="List the multicast groups that containers listen to.")
def multicast() -> None:
    """List the multicast groups that containers listen to."""


@multicast.command("ls", short_help="List groups with who listens to them.")
@options.as_json
@options.api_socket
def list_groups(agent: Client, *, as_json: bool) -> None:
    """List groups with the containers here and the other hosts that listen to them.

    A group that is not listed goes to all on its network. Group * is of those who get every group: they route
    multicast, listen to too much to be counted, or did not tell yet. Networks with -o multicast=flood are left out.
    """
    body = agent.body("/v1/multicast")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[GroupInfo, ...])))


def table_of(groups: tuple[GroupInfo, ...]) -> Table:
    """One line per group of a network."""
    return Table(
        heads=("NETWORK", "GROUP", "CONTAINERS HERE", "OTHER HOSTS"),
        rows=[(it.network, it.group, ", ".join(it.containers), ", ".join(it.hosts)) for it in groups],
        empty="No container here is known to listen to a multicast group.",
    )
