"""Who listens to which multicast group, as people see it: `ovsnet multicast ls`. Pure."""

from collections import defaultdict
from collections.abc import Collection

import msgspec

from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import HostName, SharedId
from ovsnet.model.listening import Listening
from ovsnet.model.network import Multicast, Network
from ovsnet.model.state import State

EVERYTHING = "*"
"""In place of a group: those who get every group."""


class GroupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One multicast group of one network. `containers` on this host listen to it, and some on each of `hosts`, which
    are other hosts of the cluster that live. Group "*": these get every group, as they route multicast, listen to too
    much to be counted, or did not tell yet.
    """

    network: str
    group: str
    containers: tuple[str, ...]
    hosts: tuple[str, ...]


def all_groups(
    state: State, cluster: Cluster | None = None, me: str = "", dead: Collection[HostName] = ()
) -> tuple[GroupInfo, ...]:
    """Every group somebody listens to on a network that is used here, by network; none where all get every group."""
    shared = (cluster or Cluster()).endpoints.values()
    living = [it for it in shared if it.host != me and it.host not in dead]
    found: list[GroupInfo] = []
    for network in state.networks.values():
        here = [(it.title, it.listens) for it in state.endpoints_of(network.id) if it.plugged]
        if here and network.options.multicast is Multicast.SNOOP and network.options.icc:
            found += _of_network(network, here, [(it.host, it.listens) for it in living if _is_on(it.network, network)])
    return tuple(sorted(found, key=lambda it: (it.network, it.group)))


def _is_on(shared: SharedId, network: Network) -> bool:
    return bool(shared) and shared == network.shared


def _of_network(
    network: Network, here: list[tuple[str, Listening]], there: list[tuple[HostName, Listening]]
) -> list[GroupInfo]:
    containers: dict[str, set[str]] = defaultdict(set)
    hosts: dict[str, set[str]] = defaultdict(set)
    for title, listens in here:
        for group in _named(listens):
            containers[group].add(title)
    for host, listens in there:
        for group in _named(listens):
            hosts[group].add(host)
    return [
        GroupInfo(
            network=network.title,
            group=group,
            containers=tuple(sorted(containers.get(group, ()))),
            hosts=tuple(sorted(hosts.get(group, ()))),
        )
        for group in {*containers, *hosts}
    ]


def _named(listens: Listening) -> tuple[str, ...]:
    return (EVERYTHING,) if listens.everything else tuple(map(str, listens.groups))
