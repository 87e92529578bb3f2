"""Leave the host: take away everything that carries our mark, with the same reconciler and an empty plan."""

import asyncio
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from ovsnet.agent import logs
from ovsnet.agent.keeper import alone
from ovsnet.linux import dnslink
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.errors import ApplyError, OvsnetError, Unavailable
from ovsnet.model.host import HostFacts
from ovsnet.model.state import State
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch
from ovsnet.plan.host import NOTHING
from ovsnet.reconcile.converge import Converger
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings

FIRST_CONTACT = 5.0
"""Seconds Open vSwitch has to answer."""


def remove_all(settings: Settings) -> int:
    """Bridge, ports, flows, links, then our files. Conflict while an agent runs; 1 when something stayed."""
    logs.configure(msgspec.structs.replace(settings, log_level="error"))
    with alone(settings):
        failures = asyncio.run(_remove_resources(settings))
        if failures:
            for failure in failures:
                print(f"ovsnet: could not remove {failure}", file=sys.stderr)
            print("ovsnet: the state is kept; run it again when that is repaired", file=sys.stderr)
            return 1
        for folder in (settings.run_dir, settings.state_dir):
            shutil.rmtree(folder, ignore_errors=True)
        Path(settings.plugin_socket).unlink(missing_ok=True)
    print("ovsnet: no bridge, port, flow, link, database or socket of ours is left on this host")
    return 0


async def _remove_resources(settings: Settings) -> list[ApplyError]:
    switch = Switch(settings)
    async with AsyncExitStack() as stack:
        links = await stack.enter_async_context(LinkApplier())
        tunnels = await stack.enter_async_context(TunnelApplier())
        group = await stack.enter_async_context(asyncio.TaskGroup())
        following = group.create_task(switch.run())
        try:
            await switch.wait_ready(FIRST_CONTACT)
            return await _converge(settings, switch, links, tunnels)
        except Unavailable as error:
            return [ApplyError("what is on the switch", str(error))]
        finally:
            following.cancel()


async def _converge(settings: Settings, switch: Switch, links: LinkApplier, tunnels: TunnelApplier) -> list[ApplyError]:
    """Flows go with the bridge, so they are not asked for: it may be gone already."""
    converger = Converger(
        {
            Kind.BRIDGES: BridgeApplier(switch),
            Kind.LINKS: links,
            Kind.TUNNELS: tunnels,
            Kind.PORTS: PortApplier(switch),
            Kind.FLOWS: FlowApplier(settings.bridge, settings.ovs_run_dir),
        },
        State,
        lambda: HostFacts(switch.facts()),
        lambda _state, _facts: NOTHING,
        lambda _state, _facts: {},
    )
    try:
        await converger.resync([Kind.LINKS, Kind.TUNNELS])
        failures = list((await converger.round()).failures)
        await dnslink.remove_namespace(dnslink.namespace_of(settings.instance))
    except OvsnetError as error:
        return [ApplyError("the host", str(error))]
    return failures
