"""What a network with mode=uplink may be: containers as machines of the LAN behind a NIC of this host. Pure.

Its options are checked against each other and against the uplink, which is there before its networks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ovsnet.control.requests import NetworkRequest
from ovsnet.model.addressing import Allocation, AllocationKind
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import UNTAGGED, IpAddress
from ovsnet.model.network import AskedOptions, Egress, Mode, Network, NetworkOptions
from ovsnet.model.state import State
from ovsnet.model.uplink import Phase, Uplink
from ovsnet.store.interface import Put

HOST = "this host"
"""Who holds the addresses that the bridge of the uplink has."""


def check_others(asked: AskedOptions, mode: Mode) -> None:
    """BadRequest for an option that only networks with mode=uplink have."""
    options = asked.options
    given = {
        f"uplink={options.uplink}": bool(options.uplink),
        "dhcp": bool(options.dhcp),
        "slaac=true": options.slaac,
        "egress=lan": asked.egress is Egress.LAN,
    }
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong and mode is not Mode.UPLINK:
        raise BadRequest(f"network option {wrong[0]} goes with mode=uplink only, and this one has mode={mode}")


def on_uplink(request: NetworkRequest, asked: AskedOptions, state: State, switch: SwitchFacts) -> NetworkOptions:
    """The options of a new one; BadRequest or Conflict with what to do."""
    _check_words(request, asked)
    uplink = _uplink(asked.options.uplink, state)
    if uplink.datapath is not switch.datapath:
        raise Conflict(
            f"the bridge {uplink.bridge} of {uplink.nic} has the {uplink.datapath} datapath and ours has the "
            f"{switch.datapath} datapath, between which no packet passes; give both the same (setting datapath)"
        )
    room = uplink.settings.mtu
    if asked.mtu is not None and asked.mtu > room:
        raise BadRequest(f"mtu={asked.mtu} does not fit: {uplink.nic} has room for {room}")
    options = asked.resolved(mode=Mode.UPLINK, mtu=room, ipv6=request.ipv6 is not None or 6 in asked.options.dhcp)
    return replace(options, egress=asked.egress or Egress.LAN)


def check_place(network: Network, state: State) -> None:
    """Conflict when the uplink has gone meanwhile, or another network is in this VLAN of it: which of them a packet is
    for, nobody could say.
    """
    _uplink(network.options.uplink, state)
    for other in networks_on(network.options.uplink, state):
        if other.id != network.id and other.options.vlan == network.options.vlan:
            vlan, nic = network.options.vlan, network.options.uplink
            where = f"VLAN {vlan}" if vlan != UNTAGGED else "the untagged LAN"
            raise Conflict(f"network {other.title} is in {where} of {nic} already; use that one, or another vlan")


def check_unused(nic: str, state: State) -> None:
    """Conflict while networks use this uplink."""
    users = ", ".join(sorted(it.title for it in networks_on(nic, state)))
    if users:
        raise Conflict(f"{nic} is the uplink of the networks {users}; 'docker network rm' removes them first")


def networks_on(nic: str, state: State) -> Sequence[Network]:
    """Those that use this uplink."""
    return [it for it in state.networks.values() if it.options.on_uplink and it.options.uplink == nic]


def held_by_host(network: Network, state: State, now: float) -> Iterator[Put]:
    """What keeps the bridge's own addresses from being given to containers."""
    uplink = state.uplinks.get(network.options.uplink)
    if uplink is None or network.options.vlan != UNTAGGED:
        return
    for pool in (it for it in state.pools.values() if it.serves(network)):
        for address in _own(uplink):
            if address in pool.subnet and (pool.id, address) not in state.allocations:
                yield Put(Allocation(pool.id, address, AllocationKind.RESERVED, holder=HOST, created_at=now))


def _own(uplink: Uplink) -> Iterator[IpAddress]:
    yield from (it.address.ip for it in uplink.addresses)


def _uplink(nic: str, state: State) -> Uplink:
    uplink = state.uplinks.get(nic)
    if uplink is None:
        known = ", ".join(sorted(state.uplinks))
        others = f"; uplinks are: {known}" if known else ""
        raise Conflict(f"{nic} is no uplink of this host yet: 'ovsnet uplink add {nic}' makes it one{others}")
    if uplink.phase is not Phase.IN_FORCE:
        raise Conflict(f"{nic} is being moved right now; wait, and look with 'ovsnet uplink ls'")
    return uplink


def _check_words(request: NetworkRequest, asked: AskedOptions) -> None:
    options = asked.options
    if not options.uplink:
        raise BadRequest("mode=uplink needs the NIC behind which the LAN is; add -o uplink=NIC, as in -o uplink=eth0")
    if request.internal:
        raise BadRequest("mode=uplink puts containers on the LAN itself, which no --internal can keep from others")
    if not options.icc:
        raise BadRequest("icc=false does not go with mode=uplink: containers reach each other as they reach the LAN")
    if asked.egress is Egress.DOCKER:
        raise BadRequest(
            "egress=docker does not go with mode=uplink, where the LAN's router is the way out; leave it out, or use "
            "egress=none for containers without a default route"
        )
    for family, subnet in ((4, request.ipv4), (6, request.ipv6)):
        if subnet is not None and (family in options.dhcp or (family == 6 and options.slaac)):
            raise BadRequest(
                f"IPv{family} addresses come either from --subnet or from the LAN (dhcp, slaac); give one of them; for "
                "no subnet use --ipam-driver null"
            )
    if options.from_lan and asked.egress is Egress.NONE:
        raise BadRequest("egress=none does not go with dhcp and slaac, by which the LAN says what the way out is")
