"""Which OVS port an endpoint gets, and what is written beside it. Pure."""

from ovsnet.model.attachment import Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import PortPlan
from ovsnet.model.ids import IpInterface
from ovsnet.model.network import Network
from ovsnet.plan import names


def plan_port(
    endpoint: Endpoint,
    network: Network,
    instance: str,
    attachment: Attachment | None = None,
    leased: tuple[IpInterface, ...] = (),
    *,
    rate: int = 0,
) -> PortPlan:
    """The port of one plugged endpoint; `tag` shows its VLAN to `ovs-vsctl`, the pipeline enforces it.

    `leased` are its addresses by DHCP; `rate` is that of its `Shape`.
    """
    return PortPlan(
        name=names.port_name(endpoint, network),
        kind=network.options.port,
        vlan=endpoint.vlan_on(network),
        mtu=network.options.mtu if attachment is None else attachment.mtu,
        external_ids=_external_ids(endpoint, network, instance, attachment, leased),
        rate=rate,
    )


def _external_ids(
    endpoint: Endpoint,
    network: Network,
    instance: str,
    attachment: Attachment | None,
    leased: tuple[IpInterface, ...],
) -> dict[str, str]:
    addresses = " ".join(str(it) for it in (endpoint.ipv4, endpoint.ipv6, *leased) if it is not None)
    facts = {
        names.OWNER_KEY: instance,
        names.ENDPOINT_KEY: endpoint.id,
        names.NETWORK_KEY: network.id,
        names.NETWORK_NAME_KEY: network.name,
        names.CONTAINER_KEY: endpoint.container_id,
        names.CONTAINER_NAME_KEY: endpoint.container_name,
        names.COMPOSE_SERVICE_KEY: endpoint.compose_service,
        names.MAC_KEY: endpoint.mac,
        names.ADDRESSES_KEY: addresses,
    }
    if attachment is not None:
        facts |= {names.ATTACHMENT_KEY: attachment.id, names.IFNAME_KEY: attachment.ifname}
    return {key: value for key, value in facts.items() if value}
