"""`ovsnet attach`, `detach`, `attachments`, `set`, `route`, `rule` and `wait`."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click
import msgspec

from ovsnet.api.attach_orders import (
    Attached,
    AttachOrder,
    DetachOrder,
    RouteOrder,
    RuleOrder,
    SetOrder,
    Waited,
    WaitOrder,
)
from ovsnet.api.client import Client, decode
from ovsnet.api.orders import Done
from ovsnet.api.schema import AttachmentInfo
from ovsnet.cli import options
from ovsnet.cli.output import Table, show_json, show_table
from ovsnet.model.wishes import WORDS, Word

F = TypeVar("F", bound=Callable[..., object])
CHANGEABLE = ("--ip", "--vlan", "--trunk", "--native", "--qinq", "--mtu", "--rate", "--loss", "--delay")
MARGIN = 10.0
"""Seconds the agent has beside the time it is told to wait."""


def _option(option: str, word: Word) -> Callable[[F], F]:
    text = word.help
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
    verb = click.option("--slaac/--no-slaac", default=None, help=WORDS["--slaac"].help)(verb)
    verb = _option("--dhcp", replace(WORDS["--dhcp"], help=f"{WORDS['--dhcp'].help} 'off' for none."))(verb)
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


@click.command("set", short_help="Change an interface while it runs.")
@click.argument("target")
@click.argument("ifname", metavar="[IFNAME|NETWORK]", required=False, default="")
@changeable
@options.api_socket
def change(agent: Client, target: str, ifname: str, **said: Any) -> None:
    """Change the attached interface IFNAME of TARGET, or its only one, without taking it away.

    What is given takes the place of what was: --vlan that of every VLAN it was in, and --ip that of all addresses.

    With NETWORK it is the interface that TARGET, a container, has on that network. Of one that the engine made only the
    --rate can change; that is remembered until the container is removed.
    """
    order = SetOrder(target=target, ifname=ifname, **said)
    click.echo(agent.order("/v1/attachments/set", order, Done).message)


def _one_more_or_less(verb: F) -> F:
    """TARGET, and the words of what it shall have inside, or have no more."""
    verb = options.api_socket(verb)
    verb = click.option(
        "--ifname", default="", metavar="NAME", help="The attached interface; its only one without it."
    )(verb)
    verb = click.argument("said", metavar="WORDS…", nargs=-1, required=True)(verb)
    return click.argument("target")(verb)


@click.group(short_help="Add and remove routes of attached interfaces.")
def route() -> None:
    """Add and remove routes inside; they are remembered with their interface. WORDS are CIDR[@GW] [table N]."""


@route.command("add", short_help="Add a route inside.")
@_one_more_or_less
def add_route(agent: Client, target: str, said: tuple[str, ...], ifname: str) -> None:
    """Add a route inside of TARGET, through an attached interface: CIDR[@GW] [table N]; default@GW takes the place of
    its default route.

    Of several interfaces it is the one that has GW on its link, where --ifname does not say.
    """
    order = RouteOrder(target=target, ifname=ifname, route=" ".join(said))
    click.echo(agent.order("/v1/attachments/route/add", order, Done).message)


@route.command("del", short_help="Remove a route inside.")
@_one_more_or_less
def drop_route(agent: Client, target: str, said: tuple[str, ...], ifname: str) -> None:
    """Remove a route that an attached interface of TARGET was given: CIDR[@GW] [table N]."""
    order = RouteOrder(target=target, ifname=ifname, route=" ".join(said))
    click.echo(agent.order("/v1/attachments/route/del", order, Done).message)


@click.group(short_help="Add and remove routing rules of attached interfaces.")
def rule() -> None:
    """Add and remove routing rules inside; they are remembered with their interface.

    WORDS are as 'ip rule' has them: [from CIDR] [to CIDR] [iif NAME] [fwmark MARK[/MASK]] table N [priority N].
    """


@rule.command("add", short_help="Add a routing rule inside.")
@_one_more_or_less
def add_rule(agent: Client, target: str, said: tuple[str, ...], ifname: str) -> None:
    """Add a routing rule inside of TARGET, like: from 10.1.0.0/24 table 100."""
    order = RuleOrder(target=target, ifname=ifname, rule=" ".join(said))
    click.echo(agent.order("/v1/attachments/rule/add", order, Done).message)


@rule.command("del", short_help="Remove a routing rule inside.")
@_one_more_or_less
def drop_rule(agent: Client, target: str, said: tuple[str, ...], ifname: str) -> None:
    """Remove a routing rule that came with an attached interface of TARGET; the same words as it was added with."""
    order = RuleOrder(target=target, ifname=ifname, rule=" ".join(said))
    click.echo(agent.order("/v1/attachments/rule/del", order, Done).message)


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
                _place(it),
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


def _place(it: AttachmentInfo) -> str:
    if it.medium:
        return f"{it.medium} {it.nic}".rstrip()
    return f"bridge {it.bridge}" if it.bridge else f"network {it.network}"


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
