"""`ovsnet version`."""

import click
import msgspec

from ovsnet import __version__
from ovsnet.api.client import Client
from ovsnet.api.schema import VersionInfo
from ovsnet.cli import options
from ovsnet.cli.output import show_json
from ovsnet.model.errors import OvsnetError


@click.command(short_help="Show the versions of everything involved.")
@options.as_json
@options.api_socket
def version(agent: Client, *, as_json: bool) -> None:
    """Show the versions of this command, of the agent and of its neighbours; of the command alone without an
    agent.
    """
    found = _ask(agent)
    if as_json:
        show_json(_encoded(found))
        return
    click.echo(f"client       {__version__}")
    if found is None:
        click.echo("agent        does not answer")
        return
    for name, value in (("agent", found.version), ("API", found.api), ("Python", found.python)):
        click.echo(f"{name:<13}{value}")
    for name, value in (
        ("kernel", found.kernel),
        ("Open vSwitch", found.openvswitch),
        ("Docker", found.engine),
    ):
        click.echo(f"{name:<13}{value or 'not known'}")


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints; `agent` is null when it does not answer."""

    client: str
    agent: VersionInfo | None


def _encoded(found: VersionInfo | None) -> bytes:
    return msgspec.json.encode(Versions(client=__version__, agent=found))


def _ask(agent: Client) -> VersionInfo | None:
    try:
        return agent.version()
    except OvsnetError:
        return None
