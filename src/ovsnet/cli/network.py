"""`ovsnet network ls`, `inspect` and `rm`; `ovsnet expose` and `hide`."""

from collections.abc import Iterator

import click

from ovsnet.api.client import Client, decode, network_path
from ovsnet.api.orders import Done, NetworkOrder
from ovsnet.api.schema import NetworkDetails, NetworkInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, plain, show_json, show_table
from ovsnet.model.ids import short

EXPOSING = 15.0
"""Seconds it may take until it is in force."""


@click.group(short_help="List and inspect networks.")
def network() -> None:
    """List and inspect networks. Networks are made with `docker network create -d ovsnet`."""


@network.command("ls", short_help="List the networks.")
@options.as_json
@options.api_socket
def list_networks(agent: Client, *, as_json: bool) -> None:
    """List the networks."""
    body = agent.body("/v1/networks")
    if as_json:
        show_json(body)
        return
    show_table(table_of(decode(body, tuple[NetworkInfo, ...])))


@network.command("inspect", short_help="Show one network with its endpoints.")
@click.argument("name", metavar="NETWORK")
@options.as_json
@options.api_socket
def inspect(agent: Client, name: str, *, as_json: bool) -> None:
    """Show one network with its endpoints.

    NETWORK is a name, an id, or the beginning of an id.
    """
    body = agent.body(network_path(name))
    if as_json:
        show_json(body)
        return
    click.echo("\n".join(details(decode(body, NetworkDetails))))


@network.command("rm", short_help="Remove a network from all hosts.")
@click.argument("name", metavar="NETWORK")
@options.api_socket
def remove(agent: Client, name: str) -> None:
    """Remove a network of the cluster from all hosts; refused while a container anywhere is on it, naming where."""
    click.echo(agent.order(f"{network_path(name)}/remove", NetworkOrder(), Done).message)


@click.command("expose", short_help="Have this host and a network's containers reach each other.")
@click.argument("name", metavar="NETWORK")
@options.api_socket
def expose(agent: Client, name: str) -> None:
    """Have this host and the containers on a network reach each other, whatever the network's way out is.

    It holds for this host and its containers, until `ovsnet hide`.
    """
    click.echo(agent.order(f"{network_path(name)}/expose", NetworkOrder(), Done, timeout=EXPOSING).message)


@click.command("hide", short_help="Have them not reach each other any more.")
@click.argument("name", metavar="NETWORK")
@options.api_socket
def hide(agent: Client, name: str) -> None:
    """Have this host and the containers on a network not reach each other any more."""
    click.echo(agent.order(f"{network_path(name)}/hide", NetworkOrder(), Done, timeout=EXPOSING).message)


def table_of(networks: tuple[NetworkInfo, ...]) -> Table:
    """One line per network."""
    return Table(
        heads=("ID", "NAME", "VNI", "MODE", "VLAN", "MTU", "PORT", "EGRESS", "SPACE", "SUBNETS", "ENDPOINTS"),
        rows=[
            (
                short(it.id),
                it.name,
                str(it.vni),
                f"{it.mode} {it.uplink}".rstrip(),
                str(it.vlan or ""),
                str(it.mtu),
                it.port,
                "internal" if it.internal else f"{it.egress} {it.domain}".rstrip(),
                it.space,
                ", ".join(it.subnets),
                str(it.endpoints),
            )
            for it in networks
        ],
        empty="No networks. Make one: docker network create -d ovsnet --ipam-driver ovsnet NAME",
    )


def details(found: NetworkDetails) -> Iterator[str]:
    """A network on its own page."""
    it = found.network
    facts = {
        "name": it.name,
        "id": it.id,
        "vni": str(it.vni),
        "mode": f"{it.mode} {it.uplink}".rstrip(),
        "vlan": str(it.vlan or "untagged"),
        "mtu": str(it.mtu),
        "port": it.port,
        "icc": _yes(it.icc),
        "egress": it.egress,
        "domain": it.domain,
        "multicast": it.multicast,
        "rate": it.rate,
        "internal": _yes(it.internal),
        "exposed": _yes(it.exposed),
        "space": f"{it.space} (routing table {it.routing_table})" if it.routing_table else it.space,
        "subnets": ", ".join(it.subnets),
        "gateways": ", ".join(it.gateways),
        "from LAN": ", ".join(it.from_lan),
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(found.labels.items())),
    }
    yield from (f"{name:<10}{value or '-'}" for name, value in facts.items())
    yield ""
    yield plain(_endpoints(found)) if found.endpoints else "No endpoints."


def _endpoints(found: NetworkDetails) -> Table:
    rows = [
        (
            it.container,
            it.host or "here",
            short(it.id),
            it.mac,
            ", ".join(it.addresses),
            str(it.vlan or ""),
            it.rate,
            _yes(it.plugged),
        )
        for it in found.endpoints
    ]
    return Table(
        heads=("CONTAINER", "HOST", "ENDPOINT", "MAC", "ADDRESSES", "VLAN", "RATE", "PLUGGED"), rows=rows, empty=""
    )


def _yes(value: bool) -> str:  # noqa: FBT001 - a converter: its argument is the thing
    return "yes" if value else "no"
