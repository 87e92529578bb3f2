"""Which NIC may become the uplink of which bridge. Pure: the host as it is, in; the uplink, or why not, out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ovsnet.model.datapath import Datapath
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpAddress
from ovsnet.model.uplink import (
    BRIDGE_PREFIX,
    LONGEST_NAME,
    Carrier,
    Hold,
    HostAddress,
    HostRoute,
    NicFacts,
    Phase,
    Uplink,
    bridge_for,
)

SHORTEST, LONGEST = 10.0, 600.0
"""Seconds a move may take until it is confirmed."""


Moved = tuple[tuple[HostAddress, ...], tuple[HostRoute, ...]]
"""What the bridge's port has, once all has been moved to it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for. `bridge`: "" chooses. `probe` is asked instead of the default gateways; `commit_within`
    is in seconds. `force`: also when nobody answers before, and when a program gives the NIC its addresses.
    """

    nic: str
    bridge: str = ""
    probe: IpAddress | None = None
    commit_within: float = 30.0
    force: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """This host as it is. `carrier` is the bridge that has the NIC as a port, `bridge` the one that it shall become a
    port of; None of neither. `there` is what that one's own port has. `reserved` are interfaces that may not move, with
    the reason.
    """

    nic: NicFacts
    datapath: Datapath
    boot: str = ""
    carrier: Carrier | None = None
    bridge: Carrier | None = None
    taken: bool = False
    """There is an interface of the bridge's name that is no OVS bridge."""
    there: Moved = ((), ())
    reserved: Mapping[str, str] | None = None


def bridge_name(wish_bridge: str, nic: str, carrier: Carrier | None) -> str:
    """The bridge that is meant; "" when none can be named."""
    return wish_bridge or (carrier.name if carrier else "") or bridge_for(nic)


def decide(wish: Wish, now: Situation, known: Mapping[str, Uplink], clock: float) -> Uplink:
    """The uplink that is to be tried, or in force at once where nothing has to be moved; Conflict or BadRequest with
    the reason.
    """
    if not SHORTEST <= wish.commit_within <= LONGEST:
        raise BadRequest(
            f"--commit-within {wish.commit_within:g} is not possible; use {SHORTEST:g} to {LONGEST:g} seconds"
        )
    name = bridge_name(wish.bridge, wish.nic, now.carrier)
    _check_names(wish, name, now, known)
    if now.carrier is not None:
        return _already(wish.nic, now.carrier, now, clock)
    if now.nic.obstacle:
        raise Conflict(now.nic.obstacle)
    if now.nic.caretaker and not wish.force:
        raise Conflict(_told_first(now.nic, name))
    if now.taken:
        raise Conflict(f"there is an interface '{name}' that is no bridge of Open vSwitch; choose another --bridge")
    hold = Hold.OWN if now.bridge is None else Hold.PLUGGED
    return Uplink(
        nic=wish.nic,
        bridge=name,
        hold=hold,
        phase=Phase.TRYING,
        datapath=now.bridge.datapath if now.bridge else now.datapath,
        settings=now.nic.settings,
        addresses=now.nic.addresses,
        routes=now.nic.routes,
        boot=now.boot,
        created_at=clock,
    )


def _told_first(nic: NicFacts, bridge: str) -> str:
    return (
        f"{nic.caretaker} gives {nic.name} its addresses, and would put them back on it, or give them up, when they go "
        f"to {bridge}; end it for {nic.name} first, and have it look after {bridge} afterwards (docs/uplink.md); "
        "--force moves them all the same"
    )


def going_back(uplink: Uplink, moved: Moved | None) -> Uplink:
    """The uplink with what the NIC is to have when it comes back: what the bridge's port has by now (`moved`), where
    the bridge is for nothing else; what was moved, where it is not known.
    """
    if moved is None or not moved[0] or uplink.hold is not Hold.OWN:
        return uplink
    return replace(uplink, addresses=moved[0], routes=moved[1])


def stays_alone(uplink: Uplink, now: Situation) -> None:
    """Conflict while a bridge of ours that would go has ports of others."""
    others = sorted(now.bridge.ports - {uplink.nic}) if now.bridge and uplink.hold is Hold.OWN else []
    if others:
        raise Conflict(
            f"the bridge {uplink.bridge} has other ports, which would be cut off: {', '.join(others)}; take them out "
            f"first ('ovs-vsctl del-port', or the setting trunk where it is {uplink.bridge})"
        )


def _check_names(wish: Wish, bridge: str, now: Situation, known: Mapping[str, Uplink]) -> None:
    if not bridge:
        longest = LONGEST_NAME - len(BRIDGE_PREFIX)
        raise BadRequest(f"a name for the bridge is needed, as {wish.nic!r} is longer than {longest}: give --bridge")
    if len(bridge) > LONGEST_NAME or "/" in bridge or bridge.split() != [bridge]:
        raise BadRequest(f"--bridge {bridge!r} is no name of an interface; use up to {LONGEST_NAME} characters")
    if bridge == wish.nic:
        raise BadRequest(f"the bridge cannot have the NIC's name; give another --bridge than {bridge}")
    for name in (wish.nic, bridge):
        if reason := (now.reserved or {}).get(name):
            raise Conflict(reason)
    if now.carrier is not None and now.carrier.name != bridge:
        raise Conflict(
            f"{wish.nic} is a port of the bridge {now.carrier.name}; take it out ('ovs-vsctl del-port {wish.nic}'), or "
            f"give that as --bridge"
        )
    other = known.get(wish.nic) or next((it for it in known.values() if it.bridge == bridge), None)
    if other is not None:
        raise Conflict(f"{other.nic} is the uplink of {other.bridge}; 'ovsnet uplink rm {other.nic}' first")


def _already(nic: str, carrier: Carrier, now: Situation, clock: float) -> Uplink:
    """Somebody's bridge is taken note of; one that we made and do not remember is ours again."""
    addresses, routes = now.there
    if not now.nic.settings.mac:
        raise Conflict(f"neither {nic} nor its bridge {carrier.name} is an interface of this host; see 'ip link'")
    # What the NIC was like before is not known any more; of IPv6, that we have switched it off.
    settings = replace(now.nic.settings, ipv6=True) if carrier.ours else now.nic.settings
    return Uplink(
        nic=nic,
        bridge=carrier.name,
        hold=Hold.OWN if carrier.ours else Hold.NOTED,
        phase=Phase.IN_FORCE,
        datapath=carrier.datapath,
        settings=settings,
        addresses=addresses,
        routes=routes,
        boot=now.boot,
        created_at=clock,
    )
