"""`ovsnet ovs-docker …`: the command line of Open vSwitch's script, carried out by the agent.

Installed under its name (`ovsnet-ovs-docker` linked as `ovs-docker`) it takes the script's place. What it attaches is
remembered like everything, which is the difference.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ovsnet.api.attach_orders import Attached, AttachOrder, DetachOrder, SetOrder
from ovsnet.api.client import Client
from ovsnet.api.orders import Done
from ovsnet.cli import options
from ovsnet.cli.ovs_docker_words import Meaning, Usage, read
from ovsnet.model.errors import NotFound, OvsnetError

USAGE = """\
{name}: gives containers interfaces on Open vSwitch bridges, as the script of that name does.
usage: {name} COMMAND

Commands:
  add-port BRIDGE INTERFACE CONTAINER [--ipaddress=ADDRESS[/PREFIX]] [--gateway=GATEWAY]
                                      [--macaddress=MAC] [--mtu=MTU]
                    Give CONTAINER an interface called INTERFACE on BRIDGE, which is made where there is none.
  del-port BRIDGE INTERFACE CONTAINER
                    Take that interface away.
  del-ports BRIDGE CONTAINER
                    Take away every interface CONTAINER was given so.
  set-vlan BRIDGE INTERFACE CONTAINER VLAN
                    Put the interface into a VLAN.
Options:
  -h, --help        Show this.
"""
FAILED = 1
"""The script knows no other code."""


@click.command(
    "ovs-docker",
    short_help="Work like the ovs-docker script of Open vSwitch.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@options.api_socket
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def ovs_docker(context: click.Context, agent: Client, words: tuple[str, ...]) -> None:
    """Work like the ovs-docker script of Open vSwitch: add-port, del-port, del-ports, set-vlan. See --help of it."""
    context.exit(run(agent, words, "ovs-docker"))


def main() -> None:
    """The entry point of its own; ends the process."""
    sys.exit(run(options.default_client(), sys.argv[1:], Path(sys.argv[0]).name))


def run(agent: Client, words: Sequence[str], name: str) -> int:
    """Do what the words say; returns the exit code."""
    try:
        meaning = read(words)
        if isinstance(meaning, Usage):
            click.echo(USAGE.format(name=name), nl=False)
            return meaning.code
        _carry_out(agent, meaning)
    except OvsnetError as error:
        click.echo(f"{name}: {error}", err=True)
        return FAILED
    return 0


def _carry_out(agent: Client, meaning: Meaning) -> None:
    try:
        if isinstance(meaning, AttachOrder):
            agent.order("/v1/attachments/attach", meaning, Attached)
        elif isinstance(meaning, DetachOrder):
            agent.order("/v1/attachments/detach", meaning, Done)
        elif isinstance(meaning, SetOrder):
            agent.order("/v1/attachments/set", meaning, Done)
    except NotFound as error:
        if not isinstance(meaning, DetachOrder | SetOrder):
            raise
        whose = f"CONTAINER={meaning.target} and INTERFACE={meaning.ifname}"
        raise NotFound(f"Failed to find any attached port for {whose}: {error}") from error
