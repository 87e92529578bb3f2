"""What an `ovs-docker` command line means as orders to the agent. Pure.

The words are those of Open vSwitch's own script: four verbs, four options of one of them, all of the form NAME=VALUE.
Later ones win, empty ones count as not given. What it says is the original's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from ovsnet.api.attach_orders import AttachOrder, DetachOrder, SetOrder
from ovsnet.model.errors import BadRequest

OPTIONS = ("--ipaddress", "--macaddress", "--gateway", "--mtu")


@dataclass(frozen=True, slots=True)
class Usage:
    """How it is used shall be shown; `code` is the exit code then."""

    code: int


Meaning = AttachOrder | DetachOrder | SetOrder | Usage


def read(words: Sequence[str]) -> Meaning:
    """What is to be done; BadRequest with the original's sentence for what cannot be meant."""
    if not words or words[0] in ("-h", "--help"):
        return Usage(0)
    verb, *rest = words
    verbs: Mapping[str, Callable[[Sequence[str]], Meaning]] = {
        "add-port": _add_port,
        "del-port": _del_port,
        "del-ports": _del_ports,
        "set-vlan": _set_vlan,
    }
    if verb not in verbs:
        raise BadRequest(f'unknown command "{verb}" (use --help for help)')
    return verbs[verb](rest)


def _add_port(words: Sequence[str]) -> AttachOrder:
    if len(words) < 3 or not all(words[:3]):
        raise BadRequest("add-port: not enough arguments (use --help for help)")
    bridge, ifname, container = words[:3]
    options = dict(_option(it) for it in words[3:])
    return AttachOrder(
        target=container,
        bridge=bridge,
        ifname=ifname,
        addresses=_addresses(options.get("--ipaddress", ""), options.get("--gateway", "")),
        mac=options.get("--macaddress", ""),
        mtu=options.get("--mtu", ""),
    )


def _option(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if name not in OPTIONS or not equals:
        raise BadRequest(f'add-port: unknown option "{word}"')
    return name, value


def _addresses(address: str, gateway: str) -> tuple[str, ...]:
    """The address as the agent reads it; without a prefix length it is one of a host, as for `ip addr`."""
    if not address:
        if gateway:
            raise BadRequest(f"add-port: --gateway={gateway} leads nowhere without an address; add --ipaddress")
        return ()
    try:
        interface, hop = ip_interface(address), ip_address(gateway) if gateway else None
    except ValueError as error:
        raise BadRequest(f"add-port: {error}") from error
    if hop is None:
        return (str(interface),)
    if hop.version != interface.version:
        raise BadRequest(f"add-port: --gateway={gateway} is of another IP version than --ipaddress={address}")
    return (f"{interface}@{hop}",)


def _del_port(words: Sequence[str]) -> DetachOrder | Usage:
    if len(words) < 3:
        return Usage(1)
    return DetachOrder(target=words[2], ifname=words[1])


def _del_ports(words: Sequence[str]) -> DetachOrder | Usage:
    if len(words) < 2:
        return Usage(1)
    return DetachOrder(target=words[1], all=True, if_exists=True)


def _set_vlan(words: Sequence[str]) -> SetOrder | Usage:
    if len(words) < 4:
        return Usage(1)
    return SetOrder(target=words[2], ifname=words[1], vlan=words[3])
