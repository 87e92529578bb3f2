"""Who gets addresses by DHCP on this host. Pure."""

from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import Lessee, hostname_of
from ovsnet.model.state import State


def lessees(state: State) -> dict[EndpointId, Lessee]:
    """Every attached interface that must be there now and was asked for with DHCP."""
    return {
        it.id: Lessee(it.id, it.sandbox, it.ifname, it.dhcp, hostname_of(it.target.label))
        for it in state.attachments.values()
        if it.plugged and it.dhcp
    }
