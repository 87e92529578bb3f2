"""The ports that watch the ways to other hosts, for kind ovs. Pure.

The one port that carries all networks has no fixed far end, so Open vSwitch cannot say of it whether the far end
answers (ovs-vswitchd.conf.db(5), BFD). These ports have one each, beside it on the same UDP port, with a VNI that no
network has: no packet of a container goes through them.
"""

from itertools import accumulate, repeat

from ovsnet.model.host import PortPlan
from ovsnet.model.ids import PATH_VNI, HostName
from ovsnet.model.network import Network
from ovsnet.model.overlay import Overlay
from ovsnet.pipeline.remembered import Latest
from ovsnet.pipeline.remote import living_vteps
from ovsnet.plan import names
from ovsnet.plan.own_tunnels import own_tunnel

QUICKEST = 1000
"""Milliseconds between two packets on one way. Three that are missing mean that it is down."""
A_SECOND = 100
"""So many packets a second, on all ways together, are not worth a thought: 100 cost ovs-vswitchd 3 % of a core."""

_hosts: Latest[frozenset[HostName]] = Latest()


def plan_path_ports(used: list[Network], overlay: Overlay, instance: str) -> dict[str, PortPlan]:
    """One for each host that lives and has an endpoint on a network with one here."""
    sharing = frozenset[HostName]().union(*(_hosts_on(it, overlay) for it in used))
    _hosts.keep({it.id for it in used})
    vteps = {vtep for host, vtep in living_vteps(overlay).items() if host in sharing}
    interval = str(interval_for(len(vteps)))
    bfd = {"enable": "true", "min_rx": interval, "min_tx": interval}
    ports = (
        own_tunnel(names.path_port(it), overlay, instance, remote=str(it), key=str(PATH_VNI), bfd=bfd)
        for it in sorted(vteps, key=int)
    )
    return {it.name: it for it in ports}


def interval_for(ways: int) -> int:
    """Milliseconds between two packets on each way: doubled until all ways together have no more than their share.

    Doubled, not divided: most hosts that come and go change nothing at the others' ports.
    """
    steps = accumulate(repeat(2), lambda interval, factor: interval * factor, initial=QUICKEST)
    return next(it for it in steps if ways * 1000 <= A_SECOND * it)


def _hosts_on(network: Network, overlay: Overlay) -> frozenset[HostName]:
    remotes = overlay.remotes.get(network.shared, ())
    return _hosts.get(network.id, (remotes,), lambda: frozenset(it.host for it in remotes))
