"""Options that several verbs share, and what they give."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from ovsnet.api.client import Client
from ovsnet.model.errors import BadRequest
from ovsnet.settings import Settings, load

F = TypeVar("F", bound=Callable[..., object])
SOCKET_VARIABLE = "OVSNET_API_SOCKET"


def api_socket(verb: F) -> F:
    """`--api-socket`: where the agent is. Gives the verb a `Client` as its argument `agent`."""
    option = click.option(
        "--api-socket",
        "agent",
        metavar="PATH",
        envvar=SOCKET_VARIABLE,
        show_envvar=True,
        callback=_client,
        help="The agent's socket; without it the one in the settings file.",
    )
    return option(verb)


def as_json(verb: F) -> F:
    """`--json`: the answer as the API gives it."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, with the fields of the API.")(verb)


def config(verb: F) -> F:
    """`--config`: the settings file."""
    option = click.option(
        "--config",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings file.  [default: /etc/ovsnet/ovsnet.toml]",
    )
    return option(verb)


def overrides(verb: F) -> F:
    """`--set`: settings that win over the file."""
    option = click.option(
        "--set",
        "overrides",
        metavar="NAME=VALUE",
        multiple=True,
        help="Override one setting; may be repeated.",
    )
    return option(verb)


def default_client() -> Client:
    """The agent where nobody says otherwise: for commands that have only the options of their originals."""
    return Client(os.environ.get(SOCKET_VARIABLE) or _from_settings())


def _client(_: click.Context, __: click.Parameter, path: str | None) -> Client:
    return Client(path or _from_settings())


def _from_settings() -> str:
    """The default where the file cannot be read: who asks how things are need not read it."""
    try:
        return load().api_socket
    except BadRequest:
        return Settings().api_socket
