"""A NIC of this host as somebody names it who wants to give it away: what the kernel and Open vSwitch say of it."""

from ovsnet.control.attachments.devices import HostNic
from ovsnet.linux import hostnet
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import list_links
from ovsnet.linux.trunk import OUR_ALIAS
from ovsnet.model.attaching import MAC_PREFIX
from ovsnet.model.ids import Mac
from ovsnet.ovs.portbook import PortBook


def find_nic(text: str, ports: PortBook) -> HostNic | None:
    """By its name, or by its MAC as mac:MAC; None when there is none."""
    links = list_links()
    mac = text.removeprefix(MAC_PREFIX)
    link = next((it for it in links if it.name == text or (mac != text and it.mac == mac and not it.kind)), None)
    if link is None:
        return None
    has = hostnet.read(link)
    ours = link.alias.startswith(OUR_ALIAS)
    return HostNic(
        name=link.name,
        mac=Mac(link.mac),
        kind=link.kind,
        mtu=link.mtu,
        addresses=tuple(str(it.address) for it in has.addresses),
        has_default_route=any(not it.destination.prefixlen for it in has.routes),
        carrier=_carrier(link, links, ports),
        ours=ours,
    )


def _carrier(link: Link, links: tuple[Link, ...], ports: PortBook) -> str:
    port = ports.port(link.name)
    bridge = ports.carrier(port) if port is not None else None
    if bridge is not None:
        return str(bridge.name)
    return next((it.name for it in links if it.index == link.master), "")
