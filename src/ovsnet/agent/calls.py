"""What answers the engine's calls, put together."""

import os
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from ovsnet.agent.attached import AttachedSide
from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Beside, Endpoints, Host
from ovsnet.control.networks import Networks
from ovsnet.control.publishing import HostPorts, Publishing
from ovsnet.docker.calls import Calls
from ovsnet.docker.ipam_driver import IpamDriver
from ovsnet.docker.network_driver import NetworkDriver
from ovsnet.ipam.macs import mac_prefix
from ovsnet.model.state import State


@dataclass(frozen=True, slots=True)
class Behind:
    """Who decides about what. `names_at`: where containers ask for names; None where they cannot."""

    networks: Networks
    addresses: Addresses
    attached: AttachedSide
    ports: HostPorts
    names_at: IPv4Address | None


def plugin_calls(committer: Committer[State], host: Host, behind: Behind, *, deadline: float) -> Calls:
    """Every call; `deadline` in seconds, for what is wanted to be in force."""
    attached = behind.attached
    endpoints = Endpoints(
        committer,
        host,
        clock=time.time,
        new_prefix=lambda: mac_prefix(os.urandom(3)),
        deadline=deadline,
        beside=Beside(behind.names_at, attached.leases.give_back, attached.kernel),
    )
    ports = Publishing(committer, host, behind.ports, deadline=deadline)
    return {**NetworkDriver(behind.networks, endpoints, ports).calls, **IpamDriver(behind.addresses).calls}
