"""`python -m ovsnet.agent.guard SOCKET`: puts a NIC back that was moved to a bridge and that nobody confirms.

See agent/uplinks.py. It is told everything at its start, so that it needs neither the store nor the agent.
"""

import asyncio
import sys
from contextlib import suppress
from types import SimpleNamespace

import msgspec
import structlog

from ovsnet.agent import logs
from ovsnet.agent.uplinks import ARMED, BACK, KEEP, KEPT, LONGEST, Told, applier
from ovsnet.model.delta import Delta
from ovsnet.model.errors import OvsnetError
from ovsnet.model.uplink import Uplink
from ovsnet.ovs.switch import Switch
from ovsnet.plan.uplinks import plan_of
from ovsnet.settings import Settings
from ovsnet.store.uplinks import decode_uplink

FIRST_CONTACT = 3.0
"""Seconds that Open vSwitch has to answer before the kernel's part is put back without it."""
AGAIN = 2.0
"""Seconds until it is tried again, unless something changes before."""
TRIES = 300


async def guard(path: str) -> int:
    """Until it is kept, or put back; returns the exit code."""
    reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST)
    told = msgspec.json.decode(await reader.readline(), type=Told)
    uplink = decode_uplink(SimpleNamespace(**told.uplink))
    logs.configure(told.settings)
    writer.write(ARMED)
    word = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(told.seconds):
            word = await reader.readline()
    if word == KEEP:
        writer.write(KEPT)
        await writer.drain()
        return 0
    writer.close()  # whoever still lives sees that it is too late
    if word == BACK:
        return 0
    why = "in time" if word == b"" and not reader.at_eof() else "any more: the agent is gone"
    structlog.get_logger("guard").warning("put back, as nobody confirms it " + why, interface=uplink.nic)
    return await _put_back(told.settings, uplink)


async def _put_back(settings: Settings, uplink: Uplink) -> int:
    log = structlog.get_logger("guard")
    switch = Switch(settings)
    mover = applier(settings, switch)
    plan = plan_of(uplink, moved=False)
    changed = asyncio.Event()
    switch.watch(changed.set)
    code = 1
    async with asyncio.TaskGroup() as group:
        following = group.create_task(switch.run())
        with suppress(OvsnetError):
            await switch.wait_ready(FIRST_CONTACT)
        for _ in range(TRIES):
            changed.clear()
            refused = await mover.apply(Delta(add={plan.nic: plan}, change={}, remove={}))
            if not refused:
                code = 0
                break
            log.warning("not put back yet", interface=uplink.nic, reason=refused[0].reason)
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN):
                    await changed.wait()
        following.cancel()
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(guard(sys.argv[1])))
