"""What answers the engine's calls, put together."""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from ovsnet.agent.attached import AttachedSide
from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Beside, Endpoints, Host
from ovsnet.control.networks import Networks
from ovsnet.control.publishing import HostPorts, Publishing
from ovsnet.control.spares import New, Spares
from ovsnet.docker.calls import Calls
from ovsnet.docker.ipam_driver import IpamDriver
from ovsnet.docker.network_driver import NetworkDriver
from ovsnet.ipam.macs import mac_prefix
from ovsnet.model.host import SwitchFacts
from ovsnet.model.state import State
from ovsnet.plan.links import may_offload
from ovsnet.settings import Settings


@dataclass(frozen=True, slots=True)
class Behind:
    """Who decides about what. `names_at`: where containers ask for names; None where they cannot. `switch` tells what
    is true of it, where pairs wait for endpoints; None where none do.
    """

    networks: Networks
    addresses: Addresses
    attached: AttachedSide
    ports: HostPorts
    names_at: IPv4Address | None
    switch: Callable[[], SwitchFacts] | None = None


def new_prefix() -> str:
    """A prefix for MACs that nobody else is likely to have."""
    return mac_prefix(os.urandom(3))


def spares_of(settings: Settings, committer: Committer[State], host: Host, switch: Callable[[], SwitchFacts]) -> Spares:
    """Who makes pairs before they are needed."""
    new = New(lambda: secrets.token_hex(32), time.time, new_prefix)
    return Spares(committer, host, switch, new, settings.spare_ports)


def plugin_calls(committer: Committer[State], host: Host, behind: Behind, *, deadline: float) -> Calls:
    """Every call; `deadline` in seconds, for what is wanted to be in force."""
    attached, switch = behind.attached, behind.switch
    offload = None if switch is None else (lambda: may_offload(switch()))
    endpoints = Endpoints(
        committer,
        host,
        clock=time.time,
        new_prefix=new_prefix,
        deadline=deadline,
        beside=Beside(behind.names_at, attached.leases.give_back, attached.kernel, offload),
    )
    ports = Publishing(committer, host, behind.ports, deadline=deadline)
    return {**NetworkDriver(behind.networks, endpoints, ports).calls, **IpamDriver(behind.addresses).calls}
