"""`ovsnet report`."""

import asyncio
import time
from pathlib import Path

import click

from ovsnet.api.client import Client
from ovsnet.cli import options
from ovsnet.model.errors import BadRequest, Unavailable
from ovsnet.observe.report import bundle
from ovsnet.settings import load


@click.command(short_help="Collect a bundle for a bug report, without secrets.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to; `-` is stdout.")
@options.config
@options.api_socket
def report(agent: Client, output: Path | None, config: Path | None) -> None:
    """Collect a bundle for a bug report: state, drift, our rows and flows on the switch, the end of the log,
    versions.

    Leaves out environment variables and values of labels. Without the agent it holds what this host alone
    tells.
    """
    packed = _collect(agent, config)
    path = output or Path(time.strftime("ovsnet-report-%Y%m%d-%H%M%S.tar.gz"))
    if str(path) == "-":
        click.echo(packed, nl=False)
        return
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}; choose another place with -o") from error
    click.echo(f"{path}: {len(packed) >> 10} KiB. Look into it before you send it: tar -xzf {path}")


def _collect(agent: Client, config: Path | None) -> bytes:
    try:
        return agent.report()
    except Unavailable as error:
        click.echo(f"ovsnet: {error}. The report holds what this host alone tells.", err=True)
        return asyncio.run(bundle(load(config), {"agent.txt": f"{error}\n".encode()}))
