"""`ovsnet agent`, `store` and `cluster-store`: become that process. Its code is not imported here: exec replaces us."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ovsnet.cli import options
from ovsnet.cli.settings_list import settings_lines


@click.command(short_help="Run the agent of this host in the foreground.")
@options.config
@options.overrides
@click.option("--help-settings", is_flag=True, help="List every setting with its default, and end.")
def agent(config: Path | None, overrides: tuple[str, ...], *, help_settings: bool) -> None:
    """Run the agent of this host in the foreground.

    Needs root. It is ready when `ovsnet status` exits 0.
    """
    if help_settings:
        click.echo("\n".join(settings_lines()))
        return
    _become("ovsnet.agent", arguments(config, overrides))


@click.command(short_help="Run the database of the desired state in the foreground.")
@options.config
@options.overrides
def store(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Run the database of the desired state in the foreground.

    It outlives restarts of the agent. Needs root.
    """
    _become("ovsnet.store", arguments(config, overrides))


@click.command(name="cluster-store", short_help="Run this member's server of the cluster's database.")
@options.config
@options.overrides
def cluster_store(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Run this member's server of the cluster's database in the foreground.

    A voter holds a copy of it, any other member follows the voters. Where there is no cluster it ends with code 3.
    Needs root.
    """
    _become("ovsnet.cluster", arguments(config, overrides))


@click.command(short_help="Take everything of ours off this host.")
@options.config
@options.overrides
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(config: Path | None, overrides: tuple[str, ...], *, yes: bool) -> None:
    """Take everything of ours off this host: bridge, ports, flows, links, the database, sockets.

    The agent must not run. A member of a cluster leaves it before ('ovsnet cluster leave'), else it has to be forgotten
    on another member. Containers on our networks lose that interface; remove them and their networks
    first. Whatever does not carry our mark stays as it is.
    """
    if not yes:
        click.confirm("Remove every bridge, port, link and file of ovsnet from this host?", abort=True)
    _become("ovsnet.agent", [*arguments(config, overrides), "--remove-all"])


def arguments(config: Path | None, overrides: Sequence[str]) -> list[str]:
    """What the process is started with."""
    file = [] if config is None else ["--config", str(config)]
    return [*file, *(word for it in overrides for word in ("--set", it))]


def _become(module: str, arguments: Sequence[str]) -> None:
    sys.stdout.flush()
    # -P: never import from the directory somebody happens to stand in.
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execv(sys.executable, command)  # noqa: S606
