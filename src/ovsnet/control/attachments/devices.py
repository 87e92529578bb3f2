"""Attached interfaces that are no port of a switch: which NIC may be given away, and what to know of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ovsnet.model.attaching import MAC_PREFIX, Wanted
from ovsnet.model.attachment import Attachment
from ovsnet.model.errors import BadRequest, Conflict, NotFound
from ovsnet.model.host import Medium
from ovsnet.model.ids import Mac
from ovsnet.model.network import DEFAULT_MTU
from ovsnet.model.state import State


@dataclass(frozen=True, slots=True)
class HostNic:
    """An interface of the host. `kind` is "" for physical ones and VFs; `carrier` is the bridge that has it as a port.

    `addresses` are those that others know; `ours`: it was made by us.
    """

    name: str
    mac: Mac
    kind: str = ""
    mtu: int = DEFAULT_MTU
    addresses: tuple[str, ...] = ()
    has_default_route: bool = False
    carrier: str = ""
    ours: bool = False


FindNic = Callable[[str], HostNic | None]
"""By its name, or by its MAC as mac:MAC."""


def no_nic(_: str) -> HostNic | None:
    """A host without NICs."""
    return None


def on_device(attachment: Attachment, wanted: Wanted, state: State, find: FindNic) -> Attachment:
    """The draft as what it shall be; it says why a NIC cannot be that."""
    made = replace(attachment, medium=wanted.medium, mtu=wanted.mtu or DEFAULT_MTU)
    if wanted.medium is Medium.DUMMY:
        return made
    nic = _found(wanted, find)
    _check(nic, wanted.medium)
    mac = made.mac if wanted.medium is Medium.MACVLAN else nic.mac
    if wanted.mtu is not None and wanted.mtu > nic.mtu and wanted.medium is not Medium.NIC:
        raise BadRequest(f"--mtu {wanted.mtu} is more than the {nic.mtu} bytes of {nic.name}")
    made = replace(made, nic=nic.name, mac=mac, mtu=wanted.mtu or nic.mtu)
    check_others(made, state)
    return made


def reserved(state: State) -> Mapping[str, str]:
    """The NICs that containers have, or have something on, and why each cannot be moved into a bridge."""
    found = (it for it in state.attachments.values() if it.nic)
    return {
        it.nic: f"{it.title} has {it.nic} ({title(it)}); 'ovsnet detach' takes that away, and 'ovsnet attach --uplink "
        f"{it.nic}' leads to the same LAN afterwards"
        for it in found
    }


def remark(made: Attachment) -> str:
    """What somebody should know of it; "" for nothing."""
    if made.medium in (Medium.MACVLAN, Medium.IPVLAN):
        return (
            f"As {made.medium} has it, {made.target.title} and the host itself do not reach each other; with --uplink "
            f"{made.nic} they do."
        )
    if made.medium is Medium.NIC:
        return f"The host has no {made.nic} until it comes back."
    return ""


def title(attachment: Attachment) -> str:
    """Where it is, for people."""
    if attachment.medium is Medium.NIC:
        return f"NIC {attachment.nic}"
    return f"{attachment.medium} on {attachment.nic}" if attachment.nic else str(attachment.medium)


def _found(wanted: Wanted, find: FindNic) -> HostNic:
    nic = find(wanted.nic)
    if nic is None:
        what = wanted.nic.removeprefix(MAC_PREFIX)
        by = "with the MAC" if what != wanted.nic else "called"
        raise NotFound(f"this host has no interface {by} {what}; 'ip link' lists those it has")
    return nic


def _check(nic: HostNic, medium: Medium) -> None:
    if nic.name == "lo" or nic.ours:
        raise BadRequest(f"--{medium} {nic.name}: it is no NIC")
    if nic.carrier:
        raise Conflict(
            f"--{medium} {nic.name}: it is a port of bridge {nic.carrier}; attach to that with --bridge or --uplink"
        )
    if medium is not Medium.NIC:
        return
    if nic.kind:
        raise BadRequest(
            f"--nic {nic.name}: it is a {nic.kind}, which the kernel would delete with the container; give a "
            "physical NIC or a VF"
        )
    if nic.has_default_route:
        raise Conflict(f"--nic {nic.name}: the host's default route leads through it")
    if nic.addresses:
        raise Conflict(
            f"--nic {nic.name}: the host would lose {', '.join(nic.addresses)}; if nobody needs it, take it off "
            f"first: ip addr flush dev {nic.name}"
        )


def check_others(made: Attachment, state: State) -> None:
    """Conflict when another has its NIC, or has on it what does not go with this."""
    medium, nic = made.medium, made.nic
    for other in (it for it in state.attachments.values() if nic and it.nic == nic):
        if Medium.NIC in (medium, other.medium):
            raise Conflict(f"--{medium} {nic}: {other.title} has it ({title(other)})")
        if medium is not other.medium:
            raise Conflict(f"--{medium} {nic}: {other.title} is a {title(other)}, and a NIC carries one of both only")
