"""`ovsnet cluster discover`: which clusters announce themselves on the LAN."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import Nearby
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table

UNVERIFIED = "Nothing of this is verified: anybody on the LAN can announce anything. Joining believes the token only."
NOBODY = (
    "Nobody was heard of on {on}. A member is heard of that has mdns = true in its settings, where multicast (UDP port "
    "5353) gets through."
)


@click.command("discover", short_help="List members that announce themselves on the LAN.")
@options.as_json
@options.api_socket
def discover(agent: Client, *, as_json: bool) -> None:
    """Listen for three seconds and list the members of clusters that announce themselves on the LAN.

    Needs no token. Nothing of it is verified: anybody can announce anything.
    """
    body = agent.body("/v1/cluster/discover")
    if as_json:
        show_json(body)
        return
    found = decode(body, Nearby)
    show_table(table_of(found))
    if found.members:
        click.echo(UNVERIFIED)


def table_of(found: Nearby) -> Table:
    """One line per member."""
    return Table(
        heads=("CLUSTER", "NAME", "ADDRESS", "PORT", "AUTHORITY", "THIS HOST IS IN IT"),
        rows=[
            (it.cluster, it.name, it.address, str(it.port), it.fingerprint, "yes" if it.mine else "no")
            for it in found.members
        ],
        empty=NOBODY.format(on=", ".join(found.listened)),
    )
