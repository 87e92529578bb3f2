"""`ovsnet ps`."""

import click
import msgspec

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import EndpointInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.called import Known, called
from ovsnet.model.errors import NotFound
from ovsnet.model.ids import short


@click.command(short_help="List container interfaces, from the switch database.")
@click.argument("container", required=False)
@options.as_json
@options.api_socket
def ps(agent: Client, container: str | None, *, as_json: bool) -> None:
    """List container interfaces, from the switch database.

    Of attached ones the name inside is told. Also those that should be on the switch and are not, with the reason. With
    CONTAINER only those of one: its name, its Compose service, or the beginning of its id.
    """
    body = agent.body("/v1/endpoints")
    listed = decode(body, tuple[EndpointInfo, ...])
    shown = listed if container is None else of_container(container, listed)
    if as_json:
        show_json(body if container is None else msgspec.json.encode(shown))
        return
    show_table(table_of(shown))


def of_container(wanted: str, endpoints: tuple[EndpointInfo, ...]) -> tuple[EndpointInfo, ...]:
    """The interfaces of what is called so; NotFound when nothing is."""
    if found := called(wanted, endpoints, lambda it: Known([it.container], it.service, [it.container_id])):
        return found
    raise NotFound(f"no container {wanted!r} is on a network of ours; 'ovsnet ps' lists those that are")


def table_of(endpoints: tuple[EndpointInfo, ...]) -> Table:
    """One line per interface."""
    return Table(
        heads=("CONTAINER", "NETWORK", "IFNAME", "ADDRESSES", "MAC", "VLAN", "PORT", "OFPORT", "IN FORCE"),
        rows=[
            (
                it.container or short(it.container_id),
                it.network or short(it.network_id) or f"bridge {it.bridge}",
                it.ifname,
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
