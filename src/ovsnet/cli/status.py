"""`ovsnet status`."""

import sys
import time
from collections.abc import Iterator

import click

from ovsnet.api.client import Client, decode
from ovsnet.api.schema import PoolUsage, Status
from ovsnet.cli import options
from ovsnet.cli.output import duration, show_json
from ovsnet.model.errors import Unavailable

UNKNOWN = "of unknown version"
ASK_AGAIN = 0.1
"""Seconds between questions while waiting: an agent that is not there yet cannot tell us when it comes."""


@click.command(short_help="Show what is well and what is not.")
@click.option("--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait until all is well.")
@options.as_json
@options.api_socket
def status(agent: Client, wait: float, *, as_json: bool) -> None:
    """Show what is well and what is not.

    Exits 0 when the agent is ready and nothing is wrong, 1 when something is, 2 when the agent does not
    answer.
    """
    body = _ask(agent, wait)
    found = decode(body, Status)
    if as_json:
        show_json(body)
    else:
        click.echo("\n".join(_lines(found)))
    sys.exit(0 if _well(found) else 1)


def _ask(agent: Client, wait: float) -> bytes:
    """The last answer there was when the time is up; the first good one before that."""
    until = time.monotonic() + wait
    while True:
        late = time.monotonic() >= until
        try:
            body = agent.body("/v1/status")
            if late or _well(decode(body, Status)):
                return body
        except Unavailable:
            if late:
                raise
        time.sleep(ASK_AGAIN)


def _well(status: Status) -> bool:
    return status.ready and status.healthy


def _lines(status: Status) -> Iterator[str]:
    yield f"agent     {_agent(status)}"
    yield f"switch    {_switch(status)}"
    yield f"store     {'available' if status.store.available else 'NOT AVAILABLE'}, {status.store.path}"
    yield f"engine    {_engine(status)}"
    yield f"networks  {status.networks}"
    yield f"endpoints {status.endpoints}"
    yield from (_pool(it) for it in status.pools)
    yield f"drift     {_drift(status)}"
    yield from (f"warning   {it}" for it in status.warnings)
    yield from (f"PROBLEM   {it}" for it in status.problems)


def _agent(status: Status) -> str:
    state = "starting" if not status.ready else "ready" if status.healthy else "ready, with problems"
    last = "" if status.last_round is None else f", last round took {status.last_round * 1000:.0f} ms"
    return f"{state}; ovsnet {status.version}, pid {status.pid}, up {duration(status.uptime)}{last}"


def _switch(status: Status) -> str:
    switch = status.switch
    if not switch.available:
        return "NOT AVAILABLE"
    tso = ", TSO on" if switch.tso else ""
    return f"Open vSwitch {switch.version or UNKNOWN}, {switch.datapath} datapath{tso}, bridge {switch.bridge}"


def _engine(status: Status) -> str:
    return f"Docker {status.engine.version or UNKNOWN}" if status.engine.reachable else "does not answer"


def _pool(pool: PoolUsage) -> str:
    total = "" if pool.total is None else f" of {pool.total}"
    resting = f", {pool.resting} resting" if pool.resting else ""
    network = f" ({', '.join(pool.networks)})" if pool.networks else ""
    return f"pool      {pool.subnet}{network}: {pool.used}{total} addresses used{resting}"


def _drift(status: Status) -> str:
    if not status.drift.known:
        return "not known"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(status.drift.kinds.items()))
    return f"{status.drift.total} resources not as wanted: {kinds}" if status.drift.total else "none"
