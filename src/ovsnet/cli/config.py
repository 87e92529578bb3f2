"""`ovsnet config`."""

import click
import msgspec

from ovsnet.api.client import Client
from ovsnet.cli import options
from ovsnet.cli.output import show_json


@click.command(short_help="Show the agent's settings in force.")
@options.as_json
@options.api_socket
def config(agent: Client, *, as_json: bool) -> None:
    """Show the agent's settings in force, in the form of its settings file."""
    body = agent.body("/v1/config")
    if as_json:
        show_json(body)
        return
    values: dict[str, object] = msgspec.json.decode(body)
    click.echo("\n".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()))
