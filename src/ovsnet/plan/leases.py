"""Who gets addresses by DHCP on this host. Pure."""

from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import Lessee, hostname_of
from ovsnet.model.state import State


def lessees(state: State) -> dict[EndpointId, Lessee]:
    """Every interface that must be there now and was attached with DHCP, or is on a network with it.

    Of one that the engine makes nobody knows what it is called inside before its container runs.
    """
    attached = {
        it.id: Lessee(it.id, it.sandbox, it.ifname, it.dhcp, hostname_of(it.target.label))
        for it in state.attachments.values()
        if it.plugged and it.dhcp
    }
    dhcp = {it.id: it.options.dhcp for it in state.networks.values() if it.options.dhcp}
    if not dhcp:
        return attached
    return attached | {
        it.id: Lessee(it.id, it.sandbox, it.ifname, dhcp[it.network_id], hostname_of(it.container_name))
        for it in state.endpoints.values()
        if it.network_id in dhcp and it.plugged and it.sandbox and it.ifname
    }
