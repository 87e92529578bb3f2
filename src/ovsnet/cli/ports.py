"""`ovsnet ports`."""

import click
import msgspec

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import PortInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.called import Known, called
from ovsnet.model.ids import short


@click.command(short_help="List published ports that lead to containers.")
@click.argument("which", metavar="[NETWORK|CONTAINER]", required=False)
@options.as_json
@options.api_socket
def ports(agent: Client, which: str | None, *, as_json: bool) -> None:
    """List published ports: by -p of containers whose way out is an egress=nat or egress=routed network, and by 'ovsnet
    publish'.

    Docker does not show them; those it publishes itself are shown by 'docker ps'. With NETWORK or CONTAINER only those
    of one: its name, its Compose service, or the beginning of its id.
    """
    body = agent.body("/v1/ports")
    listed = decode(body, tuple[PortInfo, ...])
    shown = listed if which is None else called(which, listed, _known)
    if as_json:
        show_json(body if which is None else msgspec.json.encode(shown))
        return
    show_table(table_of(shown))


def _known(it: PortInfo) -> Known:
    return Known([it.container, it.network], it.service, [it.container_id, it.network_id])


def table_of(listed: tuple[PortInfo, ...]) -> Table:
    """One line per port and IP version."""
    return Table(
        heads=("CONTAINER", "NETWORK", "PROTOCOL", "HOST ADDRESS", "HOST PORT", "ADDRESS", "PORT", "BY"),
        rows=[
            (
                it.container or short(it.container_id) or short(it.endpoint_id),
                it.network,
                it.protocol,
                it.host_address,
                str(it.host_port),
                it.container_address or "(not running)",
                str(it.container_port),
                it.by,
            )
            for it in listed
        ],
        empty="No port of this host leads to a container by a network of ours.",
    )
