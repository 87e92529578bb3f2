"""The appliers nobody but the reconciler speaks to, built of this host's settings."""

from collections.abc import Mapping
from typing import Any

from ovsnet.linux.devices import DeviceApplier
from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.insides import InsideApplier
from ovsnet.linux.journal import journal_of
from ovsnet.linux.localport import bring_up
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.switch import Switch
from ovsnet.pipeline.tables import Table
from ovsnet.reconcile.appliers import Applier
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings


def quiet_appliers(settings: Settings, switch: Switch, host_ports: HostPorts) -> Mapping[Kind, Applier[Any]]:
    """One for each of these kinds of resources."""
    return {
        Kind.BRIDGES: BridgeApplier(switch, {int(it): it.name.lower() for it in Table}, bring_up),
        Kind.DEVICES: DeviceApplier(journal=journal_of(settings.run_dir, Kind.DEVICES)),
        Kind.INSIDES: InsideApplier(journal_of(settings.run_dir, Kind.INSIDES)),
        Kind.FIREWALL: FirewallApplier(settings.instance, host_ports),
    }
