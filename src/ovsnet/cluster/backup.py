"""The cluster's database as one file: a standalone database, as `ovsdb-client backup` makes it."""

from ovsnet import processes
from ovsnet.cluster.process import cluster_socket
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.errors import Unavailable
from ovsnet.settings import Settings

CLIENT = "ovsdb-client"
PATIENCE = 60.0
"""Seconds for the whole copy; 100 000 rows took 3."""


async def backup(settings: Settings) -> bytes:
    """The content as this host's server has it, also on a relay; Unavailable when it does not answer."""
    # Any server will do: it has all that was committed before it was asked, or a moment ago.
    place = f"unix:{cluster_socket(settings)}"
    command = (CLIENT, "--no-leader-only", f"--timeout={PATIENCE:g}", "backup", place, DATABASE)
    try:
        done = await processes.run(command, deadline=PATIENCE + 1)  # its own comes first and explains itself
    except TimeoutError as error:
        raise Unavailable(CLIENT, f"it did not end within {PATIENCE + 1:g} s") from error
    except OSError as error:
        raise Unavailable(CLIENT, error.strerror or str(error)) from error
    if done.code or not done.output:
        lines = done.complaint.splitlines()
        raise Unavailable("the cluster's database", lines[-1] if lines else f"{CLIENT} ended with {done.code}")
    return done.output
