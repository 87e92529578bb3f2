"""`ovsnet ovs-docker …`: the command line of Open vSwitch's script, carried out by the agent.

Installed under its name (`ovsnet-ovs-docker` linked as `ovs-docker`) it takes the script's place. What it attaches is
remembered like everything, which is the difference.
"""

from collections.abc import Sequence

import click

from ovsnet.api.attach_orders import Attached, AttachOrder, DetachOrder, SetOrder
from ovsnet.api.client import Client
from ovsnet.api.orders import Done
from ovsnet.cli.ovs_docker_words import Meaning, Usage, read
from ovsnet.cli.shim import Shim
from ovsnet.model.errors import NotFound

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


def carry_out(agent: Client, words: Sequence[str], called: str) -> int:
    """Do what the words say; returns the exit code."""
    meaning = read(words)
    if isinstance(meaning, Usage):
        click.echo(USAGE.format(name=called), nl=False)
        return meaning.code
    _order(agent, meaning)
    return 0


def _order(agent: Client, meaning: Meaning) -> None:
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


SHIM = Shim("ovs-docker", carry_out)
ovs_docker = SHIM.verb(
    "Work like the ovs-docker script of Open vSwitch.",
    "Work like the ovs-docker script of Open vSwitch: add-port, del-port, del-ports, set-vlan. See --help of it.",
)
main = SHIM.main
