"""The cluster's database as one file: a standalone database, as `ovsdb-client backup` makes it."""

import asyncio

from ovsnet.cluster.process import cluster_socket
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.errors import Unavailable
from ovsnet.settings import Settings

PATIENCE = 60.0
"""Seconds for the whole copy; 100 000 rows took 3."""


async def backup(settings: Settings) -> bytes:
    """The content as this host's server has it, also on a relay; Unavailable when it does not answer."""
    # Any server will do: it has all that was committed before it was asked, or a moment ago.
    command = ("ovsdb-client", "--no-leader-only", f"--timeout={PATIENCE:g}", "backup")
    neighbour = "the cluster's database"
    try:
        running = await asyncio.create_subprocess_exec(
            *command,
            f"unix:{cluster_socket(settings)}",
            DATABASE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise Unavailable(command[0], error.strerror or str(error)) from error
    content, complaint = await running.communicate()
    if running.returncode or not content:
        lines = complaint.decode(errors="replace").strip().splitlines()
        raise Unavailable(neighbour, lines[-1] if lines else f"{command[0]} ended with {running.returncode}")
    return content
