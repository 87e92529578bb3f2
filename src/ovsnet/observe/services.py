"""Which services of elsewhere the networks of this host import, as people see it: `ovsnet imports`. Pure."""

import msgspec

from ovsnet.model.services import Import
from ovsnet.model.state import State


class ImportInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One service: containers on the network that ask for `port` of `address` are led to `target_port` of
    `target_address`.
    """

    network_id: str
    network: str
    protocol: str
    address: str
    port: int
    target_address: str
    target_port: int


def all_imports(state: State) -> tuple[ImportInfo, ...]:
    """By network, then by address."""
    return tuple(sorted((_row(it, state) for it in state.imports.values()), key=_order))


def _row(it: Import, state: State) -> ImportInfo:
    network = state.networks.get(it.network_id)
    return ImportInfo(
        network_id=it.network_id,
        network=network.title if network else "",
        protocol=str(it.transport),
        address=str(it.address),
        port=it.port,
        target_address=str(it.target),
        target_port=it.target_port,
    )


def _order(it: ImportInfo) -> tuple[str, str, int, str]:
    return it.network, it.address, it.port, it.protocol
