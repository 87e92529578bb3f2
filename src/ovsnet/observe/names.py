"""Names as people see them: of containers on all hosts, and those added by hand. Pure."""

import msgspec

from ovsnet.model.cluster import Cluster


class NameInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One name of one address. `network` is "" for a record that is good on all. `kind` is container or record; `host`
    is where the container runs, or who added the record.
    """

    name: str
    address: str
    network: str
    host: str
    kind: str


def all_names(cluster: Cluster) -> tuple[NameInfo, ...]:
    """Every name of every address, by name."""
    titles = {it.id: it.title for it in cluster.networks.values()}
    found = [
        NameInfo(name=name, address=str(address), network=titles.get(it.network, ""), host=it.host, kind="container")
        for it in cluster.endpoints.values()
        for name in it.names
        for address in (it.ipv4, it.ipv6)
        if address is not None
    ]
    found += [
        NameInfo(name=it.name, address=str(it.address), network=titles.get(it.network, ""), host=it.host, kind="record")
        for it in cluster.records.values()
    ]
    return tuple(sorted(found, key=lambda it: (it.name, it.network, it.address)))
