"""`ovsnet dns …`: names in the cluster's networks."""

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done, EnableOrder, RecordOrder
from ovsnet.api.schema import NameInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.errors import NotFound


@click.group(short_help="List, look up and add names in the cluster's networks.")
def dns() -> None:
    """List, look up and add names that containers of the cluster's networks can resolve."""


@dns.command("ls", short_help="List every name.")
@options.as_json
@options.api_socket
def list_names(agent: Client, *, as_json: bool) -> None:
    """List every name with its addresses, of containers on all hosts and those added by hand."""
    body = agent.body("/v1/dns")
    if as_json:
        show_json(body)
    else:
        show_table(table_of(decode(body, tuple[NameInfo, ...])))


@dns.command("lookup", short_help="Look a name up, from the host.")
@click.argument("name")
@click.option("--network", default="", help="Only on this network.")
@options.as_json
@options.api_socket
def lookup(agent: Client, name: str, network: str, *, as_json: bool) -> None:
    """Look NAME up as a container would, on one network or on all. Exits 2 when it is not known."""
    names = decode(agent.body("/v1/dns"), tuple[NameInfo, ...])
    found = tuple(it for it in names if it.name.lower() == name.lower() and network in ("", it.network))
    if not found:
        raise NotFound(f"name {name!r} is not known{f' on network {network}' if network else ''}; see 'ovsnet dns ls'")
    if as_json:
        import msgspec  # noqa: PLC0415 - this verb alone needs it

        show_json(msgspec.json.encode(found))
    else:
        click.echo("\n".join(sorted({it.address for it in found})))


@dns.command("add", short_help="Add a name for an address.")
@click.argument("name")
@click.argument("address")
@click.option("--network", default="", help="Only on this network; without it on all.")
@options.api_socket
def add(agent: Client, name: str, address: str, network: str) -> None:
    """Let NAME stand for ADDRESS, which may be outside of all networks."""
    order = RecordOrder(name=name, address=address, network=network)
    click.echo(agent.order("/v1/dns/add", order, Done).message)


@dns.command("rm", short_help="Remove a name that was added.")
@click.argument("name")
@click.argument("address")
@click.option("--network", default="", help="The network it was added on.")
@options.api_socket
def remove(agent: Client, name: str, address: str, network: str) -> None:
    """Remove what `ovsnet dns add` added; a name that is not there has been removed already."""
    order = RecordOrder(name=name, address=address, network=network)
    click.echo(agent.order("/v1/dns/remove", order, Done).message)


@dns.command("enable", short_help="Have the engine ask our name service first.")
@options.api_socket
def enable(agent: Client) -> None:
    """Put our name service first in "dns" of the engine's settings file; what is there stays behind it.

    Without it, containers started with `--dns` and the setting `dns_address` find names of other hosts.
    """
    click.echo(agent.order("/v1/dns/enable", EnableOrder(), Done).message)


@dns.command("disable", short_help="Take our name service out of the engine's settings.")
@options.api_socket
def disable(agent: Client) -> None:
    """Take our name service out of the engine's settings file again."""
    click.echo(agent.order("/v1/dns/enable", EnableOrder(enabled=False), Done).message)


def table_of(names: tuple[NameInfo, ...]) -> Table:
    """One line per name and address."""
    return Table(
        heads=("NAME", "ADDRESS", "NETWORK", "HOST", "KIND"),
        rows=[(it.name, it.address, it.network, it.host, it.kind) for it in names],
        empty="No names. Containers on networks of the cluster have theirs; 'ovsnet dns add' adds others.",
    )
