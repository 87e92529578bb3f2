"""`ovsnet ps`."""

from collections.abc import Callable

import click
import msgspec

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import EndpointInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
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
    shown = listed if container is None else called(container, listed)
    if as_json:
        show_json(body if container is None else msgspec.json.encode(shown))
        return
    show_table(table_of(shown))


def called(wanted: str, endpoints: tuple[EndpointInfo, ...]) -> tuple[EndpointInfo, ...]:
    """The interfaces of what is called so; NotFound when nothing is. A name comes before a service, an id last."""
    ways: tuple[Callable[[EndpointInfo], bool], ...] = (
        lambda it: it.container == wanted,
        lambda it: it.service == wanted,
        lambda it: it.container_id.startswith(wanted),
    )
    for way in ways if wanted else ():
        if found := tuple(it for it in endpoints if way(it)):
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
