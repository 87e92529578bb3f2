"""Leave the host: take away everything that carries our mark, with the same reconciler and an empty plan."""

import asyncio
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from ovsnet.agent import logs
from ovsnet.agent.attached import places_of
from ovsnet.agent.keeper import alone
from ovsnet.agent.uplink_view import UplinkView
from ovsnet.agent.uplinks import applier as uplink_applier
from ovsnet.cluster.identity import identity_files, read_membership
from ovsnet.cluster.raft import LocalServer
from ovsnet.control.membership.enrolment import remove_identity
from ovsnet.control.uplink_rules import Wish, decide, going_back
from ovsnet.dhcp.clients import Clients
from ovsnet.engine.daemonjson import DAEMON_JSON, DaemonJson
from ovsnet.linux import dnslink
from ovsnet.linux.devices import DeviceApplier
from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.insides import InsideApplier
from ovsnet.linux.journal import journal_of
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.nics import Nics
from ovsnet.linux.tunnelends import remove_table
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.errors import ApplyError, OvsnetError, Unavailable
from ovsnet.model.host import DevicePlan, HostFacts
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, Uplink, UplinkPlan
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch
from ovsnet.ovs.uplinks import Uplinks as Bridges
from ovsnet.plan.devices import plan_devices
from ovsnet.plan.host import NOTHING
from ovsnet.plan.uplinks import plan_of
from ovsnet.reconcile.converge import Converger
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings
from ovsnet.store.local import LOCAL
from ovsnet.store.process import store_file
from ovsnet.store.standalone import read_standalone

FIRST_CONTACT = 5.0
"""Seconds Open vSwitch has to answer."""


def remove_all(settings: Settings) -> int:
    """Bridge, ports, flows, links, then what makes this host a member, then our files.

    Conflict while an agent runs; 1 when something stayed.
    """
    logs.configure(msgspec.structs.replace(settings, log_level="error"))
    with alone(settings):
        failures = asyncio.run(_remove_resources(settings))
        if failures:
            for failure in failures:
                print(f"ovsnet: could not remove {failure}", file=sys.stderr)
            print("ovsnet: the state is kept; run it again when that is repaired", file=sys.stderr)
            return 1
        hints = [*_names_no_more(settings), *asyncio.run(_member_no_more(settings))]
        for folder in (settings.run_dir, settings.state_dir):
            shutil.rmtree(folder, ignore_errors=True)
        Path(settings.plugin_socket).unlink(missing_ok=True)
    print("ovsnet: no bridge, port, flow, link, database or socket of ours is left on this host")
    for hint in hints:
        print(f"ovsnet: {hint}")
    return 0


def _names_no_more(settings: Settings) -> Iterator[str]:
    """The engine asks its own name servers again; what a person has to do for it."""
    settings_file = DaemonJson(DAEMON_JSON, Path(settings.state_dir) / "daemon.json.before")
    try:
        changed = settings_file.take_out(settings.dns_address)
    except (OvsnetError, OSError) as error:
        yield f'take {settings.dns_address} out of "dns" in {DAEMON_JSON} by hand: {error}'
        return
    if changed:
        yield (
            f'the Docker engine does not ask us for names any more ("dns" in {DAEMON_JSON}): restart it once, or it '
            "goes on asking where nobody answers"
        )


async def _member_no_more(settings: Settings) -> list[str]:
    """The files of a member go, then its database's server, which nobody starts again without them."""
    files = identity_files(settings)
    try:
        membership = read_membership(files)
    except OvsnetError:
        membership = None
    remove_identity(files)
    with suppress(OvsnetError):
        await LocalServer(settings).end()
    if membership is None:
        return []
    told = "('ovsnet cluster leave' before would have done it)"
    remedy = f"run 'ovsnet cluster forget {membership.host}' on another member, so that its addresses are free {told}"
    return [f"the cluster was not told that this host is gone: {remedy}"]


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


def _uplinks_put_back(settings: Settings, switch: Switch) -> dict[str, UplinkPlan]:
    """Every NIC that is a port because of us, with what its bridge's port has now."""
    bridges = Bridges(switch)
    view = UplinkView(Nics(settings.instance), bridges, switch.facts, dict)
    known = _recorded(settings)
    lost = bridges.marked() - known.keys()
    found = {nic: decide(Wish(nic), view.situation(nic, ""), {}, 0.0) for nic in lost}
    strange = sorted(nic for nic, it in found.items() if it.hold is Hold.NOTED)
    if strange:
        raise ApplyError(strange[0], f"what it had before is not known; 'ovs-vsctl del-port {strange[0]}' takes it out")
    uplinks = [it for it in (*known.values(), *found.values()) if it.hold is not Hold.NOTED]
    return {it.nic: plan_of(going_back(it, view.moved(it)), moved=False) for it in uplinks}


def _recorded(settings: Settings) -> Mapping[str, Uplink]:
    """By the store's file, as its server has ended; none where it cannot be read."""
    file = store_file(settings)
    if file.exists():
        with suppress(OvsnetError):
            return read_standalone(LOCAL, file).uplinks
    return {}


def _devices(settings: Settings) -> Mapping[str, DevicePlan]:
    """What is in containers and no port of a switch, by the store's file."""
    file = store_file(settings)
    with suppress(OvsnetError):
        return plan_devices(read_standalone(LOCAL, file)) if file.exists() else {}
    return {}


async def _give_back_leases(settings: Settings) -> None:
    """While there still is a way to the servers."""
    clients = Clients(places_of(settings))
    async with asyncio.TaskGroup() as tasks:
        for it in clients.running().values():
            tasks.create_task(clients.end(it))


async def _converge(settings: Settings, switch: Switch, links: LinkApplier, tunnels: TunnelApplier) -> list[ApplyError]:
    """Flows go with the bridge, so they are not asked for: it may be gone already."""
    try:
        leaving = replace(NOTHING, uplinks=_uplinks_put_back(settings, switch))
    except OvsnetError as error:
        return [error if isinstance(error, ApplyError) else ApplyError("an uplink", str(error))]
    await _give_back_leases(settings)
    converger = Converger(
        {
            Kind.BRIDGES: BridgeApplier(switch),
            Kind.LINKS: links,
            Kind.DEVICES: DeviceApplier(_devices(settings), journal_of(settings.run_dir, Kind.DEVICES)),
            Kind.INSIDES: InsideApplier(journal_of(settings.run_dir, Kind.INSIDES)),
            Kind.TUNNELS: tunnels,
            Kind.PORTS: PortApplier(switch),
            Kind.FLOWS: FlowApplier(settings.bridge, settings.ovs_run_dir),
            Kind.UPLINKS: uplink_applier(settings, switch),
            Kind.FIREWALL: FirewallApplier(settings.instance),
        },
        State,
        lambda: HostFacts(switch.facts()),
        lambda _state, _facts: leaving,
        lambda _state, _facts: {},
    )
    try:
        await converger.resync([Kind.LINKS, Kind.TUNNELS, Kind.DEVICES, Kind.FIREWALL])
        failures = list((await converger.round()).failures)
        if failures:  # a bridge of an uplink stays while it has ports of ours, which have gone by now
            failures = list((await converger.round()).failures)
        await dnslink.remove_namespace(dnslink.namespace_of(settings.instance))
        await remove_table(settings.instance)
    except OvsnetError as error:
        return [ApplyError("the host", str(error))]
    return failures
