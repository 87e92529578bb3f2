"""The version of Open vSwitch, asked of ovs-vswitchd itself: nobody need have written it into the database."""

import asyncio
from pathlib import Path

import structlog

from ovsnet.model.errors import Unavailable
from ovsnet.ovs import programs
from ovsnet.ovsdb.database import Database, Touched

DEADLINE = 5.0
"""Seconds ovs-vswitchd has to answer."""

log = structlog.get_logger(__name__)


def control_socket(run_dir: Path) -> str:
    """ovs-vswitchd's socket carries its process id in its name; the programs' own search ignores our `ovs_run_dir`.

    Unavailable when there is no process id.
    """
    pid = programs.daemon_pid(run_dir)
    if not pid:
        raise programs.unavailable(f"{run_dir / 'ovs-vswitchd.pid'} does not say which process it is")
    return str(run_dir / f"ovs-vswitchd.{pid}.ctl")


class Version:
    """Asks once for every connection to the database: whoever replaces Open vSwitch restarts that, too."""

    def __init__(self, database: Database, ovs_run_dir: str | Path) -> None:
        self._run_dir = Path(ovs_run_dir)
        self._connected = asyncio.Event()
        self.text = ""
        database.watch_rows(self._note)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._connected.wait()
            self._connected.clear()
            try:
                self.text = await self._ask()
            except Unavailable as error:
                log.info("version of Open vSwitch not known", reason=error.reason)

    async def _ask(self) -> str:
        command = ("ovs-appctl", "-t", control_socket(self._run_dir), "version")
        outcome = await programs.run(command, deadline=DEADLINE)
        if outcome.code:
            raise programs.unavailable(outcome.complaint)
        # ovs-vswitchd (Open vSwitch) 3.5.0
        return outcome.output.partition("\n")[0].rpartition(" ")[2]

    def _note(self, touched: Touched) -> None:
        if touched.reloaded:
            self._connected.set()
