"""What there is of ours on a host of the sandbox: it has to be as it was when all containers have gone."""

import asyncio
import time
from collections.abc import Mapping

from ovsnet.bench.crew import PATIENCE
from ovsnet.bench.host import Host
from ovsnet.bench.station import BRIDGE
from ovsnet.model.endpoint import Endpoint
from ovsnet.ovs import programs
from ovsnet.ovsdb.question import Local, transact
from ovsnet.store import process as store_process
from ovsnet.store.local import LOCAL

SETTLED = 15.0
"""Seconds after which what is still there is left over."""
LOOK_AGAIN = 0.2

Inventory = Mapping[str, int]


async def taken(host: Host) -> Inventory:
    """How many ports, links, flows and endpoints in the store there are."""
    station = host.station
    target = programs.management_socket(BRIDGE, station.folder)
    flows = await station.crew.call(*programs.OFCTL, "dump-aggregate", target)
    query = {"op": "select", "table": LOCAL.shapes[Endpoint].table, "where": [], "columns": ["_uuid"]}
    socket = Local(store_process.store_socket(station.settings))
    (rows,) = await transact(socket, LOCAL.database, [query], deadline=PATIENCE)
    return {
        "ports": len((await station.vsctl("list-ports", BRIDGE)).split()),
        "links": len((await host.crew.call("ip", "-o", "link")).splitlines()),
        "flows": int(flows.rpartition("flow_count=")[2].split()[0]),
        "rows": len(rows["rows"]),
    }


async def left_over(host: Host, before: Inventory) -> Inventory:
    """How much more there is than before, when it has settled; nobody tells when it has."""
    end = time.monotonic() + SETTLED
    while True:
        now = await taken(host)
        more = {name: max(0, now[name] - before[name]) for name in before}
        if not any(more.values()) or time.monotonic() > end:
            return more
        await asyncio.sleep(LOOK_AGAIN)
