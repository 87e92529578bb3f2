"""What somebody asks for with `ovsnet attach`, as words. Pure.

Command line, API and container labels say the same things; `WORDS` is the one table of them. What they mean is read
in attaching.py.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ovsnet.model.errors import BadRequest


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attachment as it was asked for, in texts; "" where nothing was said. See WORDS for what each means."""

    target: str
    network: str = ""
    bridge: str = ""
    uplink: str = ""
    dummy: bool = False
    nic: str = ""
    macvlan: str = ""
    ipvlan: str = ""
    ifname: str = ""
    addresses: tuple[str, ...] = ()
    mac: str = ""
    vlan: str = ""
    trunk: str = ""
    native: str = ""
    qinq: bool = False
    mtu: str = ""
    routes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    dhcp: str = ""
    slaac: bool = False
    rate: str = ""
    loss: str = ""
    delay: str = ""
    port: str = ""
    host_ifname: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """One option: the field of Wish it fills, what its value looks like ("" for one without), and its help.

    `given` is what it means without a value, where it may have none.
    """

    field: str
    value: str
    help: str
    repeated: bool = False
    given: str = ""


WORDS: Mapping[str, Word] = {
    "--network": Word("network", "NET", "A network of ours, by its name or id; its addresses come from its pools."),
    "--bridge": Word("bridge", "BR", "An Open vSwitch bridge: somebody else's, or a new one where there is none."),
    "--uplink": Word(
        "uplink", "NIC", "The LAN behind a NIC of the host that 'ovsnet uplink add' has put into a bridge."
    ),
    "--dummy": Word("dummy", "", "Nowhere: an interface that has addresses and leads to nobody."),
    "--nic": Word("nic", "NIC", "A NIC of the host itself, or a VF of one, by its name or as mac:MAC; it comes back."),
    "--macvlan": Word("macvlan", "NIC", "On a NIC of the host, with a MAC of its own; the host does not reach it."),
    "--ipvlan": Word("ipvlan", "NIC", "On a NIC of the host, with the NIC's MAC; the host does not reach it."),
    "--ifname": Word("ifname", "NAME", "Its name inside; default the first free of eth1, eth2 …"),
    "--ip": Word(
        "addresses", "CIDR[@GW]", "An address, and the default gateway of its family; may be repeated.", repeated=True
    ),
    "--mac": Word("mac", "MAC", "Its MAC address; 'auto:TEXT' gives one that is always the same for that text."),
    "--vlan": Word("vlan", "ID", "The VLAN it is in, 1-4094."),
    "--trunk": Word("trunk", "IDS", "The VLANs it gets tagged, like 10,20,30-39; on a bridge."),
    "--native": Word("native", "ID", "With --trunk: the VLAN of its frames without a tag."),
    "--qinq": Word("qinq", "", "With --vlan: all its frames get one more tag, of that VLAN; on a bridge."),
    "--mtu": Word("mtu", "BYTES", "Default the network's or the bridge's."),
    "--route": Word(
        "routes",
        "ROUTE",
        "A route inside, CIDR[@GW] or 'CIDR[@GW] table N'; may be repeated.",
        repeated=True,
    ),
    "--rule": Word(
        "rules",
        "RULE",
        "A routing rule inside, as 'ip rule' has it, like 'from 10.1.0.0/24 table 100'; may be repeated.",
        repeated=True,
    ),
    "--dhcp": Word(
        "dhcp", "FAMILY", "Addresses by DHCP for as long as it is there: v4, v6 or both; on a bridge.", given="v4"
    ),
    "--slaac": Word("slaac", "", "IPv6 addresses in the prefixes that routers announce; on a bridge."),
    "--rate": Word("rate", "RATE", "The most it may send, and the most it may receive, like 100mbit; 0 for no bound."),
    "--loss": Word("loss", "PERCENT", "Lose so many of the packets it sends, like 30%; 0 for none."),
    "--delay": Word("delay", "TIME", "Delay the packets it sends, like 50ms, or '50ms 10ms': by 40 to 60; 0 for none."),
    "--port": Word("port", "KIND", "What it is made of: veth, internal; on a bridge.  [default: veth]"),
    "--host-ifname": Word("host_ifname", "NAME", "The name of its port on the host; default one made of its id."),
}


def parse_words(target: str, text: str) -> Wish:
    """The words of a command line, as in a label; BadRequest names the first that is not known."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"{text!r} cannot be taken apart: {error}") from None
    return _wish(target, words)


def _wish(target: str, words: Sequence[str]) -> Wish:
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        option, equals, value = left.pop(0).partition("=")
        word = WORDS.get(option)
        if word is None:
            raise BadRequest(f"{option!r} is not known; known are: {', '.join(WORDS)}")
        if not word.value:
            if equals:
                raise BadRequest(f"{option} takes no value")
            found[word.field] = True
            continue
        if not equals and word.given and (not left or left[0].startswith("--")):
            value, equals = word.given, "="
        if not equals:
            if not left or left[0].startswith("--"):
                raise BadRequest(f"{option} needs a value: {option} {word.value}")
            value = left.pop(0)
        _note(found, option, word, value)
    return Wish(target=target, **found)


def _note(found: dict[str, Any], option: str, word: Word, value: str) -> None:
    if word.repeated:
        found[word.field] = (*found.get(word.field, ()), value)
    elif word.field in found:
        raise BadRequest(f"{option} is given twice")
    else:
        found[word.field] = value
