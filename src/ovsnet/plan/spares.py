"""Which link and port a spare is. Whoever takes it finds both as its own plan has them, but for external ids. Pure."""

from collections.abc import Iterator

from ovsnet.model.host import LinkPlan, PortPlan
from ovsnet.model.network import PortKind
from ovsnet.model.spare import Spare
from ovsnet.model.state import State
from ovsnet.plan import names


def plan_spares(state: State, instance: str) -> Iterator[tuple[LinkPlan, PortPlan]]:
    """All of them. No flow knows their ports: what comes in by one is dropped."""
    for it in state.spares.values():
        yield _link(it), _port(it, instance)


def _link(spare: Spare) -> LinkPlan:
    return LinkPlan(
        name=names.host_end(spare.id),
        kind=PortKind.VETH,
        alias=names.alias(spare.id),
        mtu=spare.mtu,
        peer=names.container_end(spare.id),
        mac=spare.mac,
        checksum_offload=spare.offload,
    )


def _port(spare: Spare, instance: str) -> PortPlan:
    ids = {names.OWNER_KEY: instance, names.SPARE_KEY: "true", names.MAC_KEY: spare.mac}
    return PortPlan(name=names.host_end(spare.id), kind=PortKind.VETH, mtu=spare.mtu, external_ids=ids)
