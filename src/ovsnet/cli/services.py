"""`ovsnet publish`, `unpublish`, `import`, `imports` and `unimport`."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done
from ovsnet.api.schema import ImportInfo
from ovsnet.api.service_orders import ImportOrder, PublishOrder, UnimportOrder, UnpublishOrder
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.errors import BadRequest

SOON = 15.0
"""Seconds it may take until an order is in force."""
MOST_WORDS = 2
"""A network and a port."""


@click.command(short_help="Have a port of this host lead to a running container.")
@click.argument("container")
@click.argument("where", metavar="[NETWORK] [ADDRESS:]HOSTPORT:PORT[/PROTOCOL]", nargs=-1, required=True)
@click.option("--replace", is_flag=True, help="Also a port that leads elsewhere by 'ovsnet publish'.")
@options.api_socket
def publish(agent: Client, container: str, where: tuple[str, ...], *, replace: bool) -> None:
    """Have a port of this host lead to CONTAINER on NETWORK, whatever the network's way out is.

    It stays so over restarts of the container, the agent and the host, until 'ovsnet unpublish' or until the container
    is removed. NETWORK is needed where the container is on several networks of ovsnet. PROTOCOL is tcp, udp or sctp; an
    IPv6 address stands in brackets. 'ovsnet ports' lists what is published.

    The container sees the network's gateway in place of who asks.
    """
    if len(where) > MOST_WORDS:
        raise BadRequest(f"{' '.join(where)!r} is more than a network and a port; give each port a command of its own")
    network, port = ("", *where)[-2:]
    order = PublishOrder(container=container, port=port, network=network, replace=replace)
    click.echo(agent.order("/v1/ports/publish", order, Done, timeout=SOON).message)


@click.command(short_help="Have it lead nowhere any more.")
@click.argument("port", metavar="[ADDRESS:]HOSTPORT[/PROTOCOL]")
@options.api_socket
def unpublish(agent: Client, port: str) -> None:
    """Have a port that was published with 'ovsnet publish' lead nowhere any more."""
    click.echo(agent.order("/v1/ports/unpublish", UnpublishOrder(port=port), Done, timeout=SOON).message)


@click.command("import", short_help="Have an address of a network lead to a service elsewhere.")
@click.argument("service", metavar="ADDRESS:PORT[/PROTOCOL]")
@click.argument("target", metavar="TARGET:PORT")
@click.option("--network", default="", metavar="NETWORK", help="Needed where ADDRESS is of several networks.")
@options.api_socket
def import_service(agent: Client, service: str, target: str, network: str) -> None:
    """Have the containers on a network of this host reach the service at TARGET by ADDRESS, a free address of theirs.

    The network must have egress=nat or egress=routed and addresses by --ipam-driver ovsnet, which gives ADDRESS to
    nobody then. Said again with another TARGET, what is asked for from then on goes there; containers notice nothing.
    PROTOCOL is tcp, udp or sctp; an IPv6 address stands in brackets.
    """
    order = ImportOrder(service=service, target=target, network=network)
    click.echo(agent.order("/v1/imports/import", order, Done, timeout=SOON).message)


@click.command(short_help="List the services that networks import.")
@options.as_json
@options.api_socket
def imports(agent: Client, *, as_json: bool) -> None:
    """List the services of elsewhere that networks of this host import."""
    body = agent.body("/v1/imports")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[ImportInfo, ...])))


@click.command(short_help="Have such an address lead nowhere any more.")
@click.argument("service", metavar="ADDRESS:PORT[/PROTOCOL]")
@click.option("--network", default="", metavar="NETWORK", help="Needed where ADDRESS is of several networks.")
@options.api_socket
def unimport(agent: Client, service: str, network: str) -> None:
    """Have an address that 'ovsnet import' made lead nowhere any more; with the last of its ports it is free."""
    order = UnimportOrder(service=service, network=network)
    click.echo(agent.order("/v1/imports/unimport", order, Done, timeout=SOON).message)


def table_of(listed: tuple[ImportInfo, ...]) -> Table:
    """One line per service."""
    return Table(
        heads=("NETWORK", "PROTOCOL", "ADDRESS", "PORT", "TARGET", "TARGET PORT"),
        rows=[
            (it.network, it.protocol, it.address, str(it.port), it.target_address, str(it.target_port)) for it in listed
        ],
        empty="No network imports a service. Import one: ovsnet import ADDRESS:PORT TARGET:PORT",
    )
