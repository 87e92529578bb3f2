"""`ovsnet attach`, `detach`, `attachments`, `set`, `route` and `wait`."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from ovsnet.api.attach_orders import Attached, AttachOrder, DetachOrder, RouteOrder, SetOrder, Waited, WaitOrder
from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done
from ovsnet.api.schema import AttachmentInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.wishes import WORDS, Word

F = TypeVar("F", bound=Callable[..., object])
CHANGEABLE = ("--ip", "--vlan", "--trunk", "--native", "--qinq", "--mtu")
MARGIN = 10.0
"""Seconds the agent has beside the time it is told to wait."""


def _option(option: str, word: Word) -> Callable[[F], F]:
    later = "Not supported yet. " if word.later else ""
    text = f"{later}{word.help}"
    if not word.value:
        return click.option(option, word.field, is_flag=True, help=text)
    if word.given:
        return click.option(
            option, word.field, metavar=word.value, is_flag=False, flag_value=word.given, default="", help=text
        )
    if word.repeated:
        return click.option(option, word.field, metavar=word.value, multiple=True, help=text)
    return click.option(option, word.field, metavar=word.value, default="", help=text)


def changeable(verb: F) -> F:
    """The words for what can change while it runs."""
    for option in reversed(CHANGEABLE):
        verb = _option(option, WORDS[option])(verb)
    return verb


def words(verb: F) -> F:
    """Every word an attachment is asked for with."""
    for option, word in reversed([*WORDS.items()]):
        verb = _option(option, word)(verb)
    return verb


@click.command(short_help="Attach an interface to a running container or a namespace.")
@click.argument("target")
@words
@click.option("--wait/--no-wait", "wait", default=True, help="Return when it is up inside.  [default: wait]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the fields of the API.")
@options.api_socket
def attach(agent: Client, target: str, *, wait: bool, as_json: bool, **said: Any) -> None:
    """Attach an interface to TARGET, on a network of ours or on an Open vSwitch bridge.

    TARGET is a container by its name, id, beginning of an id, or Compose service; pid:NUMBER; netns:NAME or netns:PATH.

    It is remembered: back whenever the target runs, after restarts of everything, until `ovsnet detach`, or until the
    container is removed. A container label `ovsnet.attach` (or `ovsnet.attach.NAME`, for several) with these options as
    its value does the same.
    """
    order = AttachOrder(target=target, wait=wait, **{field: _plain(value) for field, value in said.items()})
    done = agent.order("/v1/attachments/attach", order, Attached)
    if as_json:
        show_json(msgspec.json.encode(done))
    else:
        click.echo(done.message)


@click.command(short_help="Take an attached interface away.")
@click.argument("target")
@click.argument("ifname", required=False, default="")
@click.option("--all", "every", is_flag=True, help="Every attached interface of the target.")
@click.option("--if-exists", is_flag=True, help="One that is not there is no error.")
@options.api_socket
def detach(agent: Client, target: str, ifname: str, *, every: bool, if_exists: bool) -> None:
    """Take the interface IFNAME of TARGET away; without IFNAME the only one that was attached.

    One that a label asked for is back when its container starts again.
    """
    if every and ifname:
        raise click.UsageError("give either IFNAME or --all")
    order = DetachOrder(target=target, ifname=ifname, all=every, if_exists=if_exists)
    click.echo(agent.order("/v1/attachments/detach", order, Done).message)


@click.command(short_help="List what is attached, also to what does not run.")
@options.as_json
@options.api_socket
def attachments(agent: Client, *, as_json: bool) -> None:
    """List what is attached, also to containers and namespaces that do not run; `ovsnet ps` shows what is in force."""
    body = agent.body("/v1/attachments")
    if as_json:
        show_json(body)
    else:
        show_table(table_of(decode(body, tuple[AttachmentInfo, ...])))


@click.command("set", short_help="Change an attached interface while it runs.")
@click.argument("target")
@click.argument("ifname", required=False, default="")
@changeable
@options.api_socket
def change(agent: Client, target: str, ifname: str, **said: Any) -> None:
    """Change the attached interface IFNAME of TARGET, or its only one, without taking it away.

    What is given takes the place of what was: --vlan that of every VLAN it was in, and --ip that of all addresses.
    """
    order = SetOrder(target=target, ifname=ifname, **said)
    click.echo(agent.order("/v1/attachments/set", order, Done).message)


@click.group(short_help="Add and remove routes of attached interfaces.")
def route() -> None:
    """Add and remove routes inside; they are remembered with their interface."""


@route.command("add", short_help="Add a route inside.")
@click.argument("target")
@click.argument("route", metavar="CIDR[@GW]")
@click.option("--ifname", default="", metavar="NAME", help="The attached interface; its only one without it.")
@options.api_socket
def add_route(agent: Client, target: str, route: str, ifname: str) -> None:
    """Add a route inside of TARGET, through an attached interface."""
    order = RouteOrder(target=target, ifname=ifname, route=route)
    click.echo(agent.order("/v1/attachments/route/add", order, Done).message)


@route.command("del", short_help="Remove a route inside.")
@click.argument("target")
@click.argument("route", metavar="CIDR[@GW]")
@click.option("--ifname", default="", metavar="NAME", help="The attached interface; its only one without it.")
@options.api_socket
def drop_route(agent: Client, target: str, route: str, ifname: str) -> None:
    """Remove a route that an attached interface of TARGET was given."""
    order = RouteOrder(target=target, ifname=ifname, route=route)
    click.echo(agent.order("/v1/attachments/route/del", order, Done).message)


@click.command(short_help="Wait until an interface is up.")
@click.argument("target")
@click.argument("ifname")
@click.option("--timeout", type=click.FloatRange(0, 3600), default=10.0, metavar="SECONDS", show_default=True)
@options.api_socket
def wait(agent: Client, target: str, ifname: str, timeout: float) -> None:
    """Wait until the interface IFNAME of TARGET, whoever made it, is up and has a carrier.

    Exits 0 as soon as it is, 1 when the time is over.
    """
    order = WaitOrder(target=target, ifname=ifname, timeout=timeout)
    done = agent.order("/v1/attachments/wait", order, Waited, timeout=timeout + MARGIN)
    if not done.up:
        click.echo(f"ovsnet: {done.reason}", err=True)
        sys.exit(1)


def table_of(attached: tuple[AttachmentInfo, ...]) -> Table:
    """One line per interface."""
    return Table(
        heads=("TARGET", "IFNAME", "WHERE", "ADDRESSES", "MAC", "VLAN", "MTU", "LABEL", "RUNNING"),
        rows=[
            (
                it.target,
                it.ifname,
                f"bridge {it.bridge}" if it.bridge else f"network {it.network}",
                ", ".join(it.addresses),
                it.mac,
                ",".join(map(str, [*([it.vlan] if it.vlan else []), *it.trunks])),
                str(it.mtu),
                it.label,
                "detached" if it.detached else "yes" if it.running else "no",
            )
            for it in attached
        ],
        empty="Nothing is attached. Attach something: ovsnet attach CONTAINER --bridge BR",
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
