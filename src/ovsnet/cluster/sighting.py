"""A member as it announces itself on a LAN, and which of them a token is for. Pure.

    TXT  v=1  id=<cluster>  fp=<the first 16 hex digits of the authority's fingerprint>  name=<member>
    SRV, A or AAAA   the address it is in the cluster with, and the port of its agent

Anybody on the LAN can announce anything. A sighting says where to ask, never whom to believe: that is what the token's
fingerprint and TLS are for (docs/decisions/0034).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from ovsnet.model.ids import HostName, IpAddress, is_reachable

FORMAT: Final = "1"
SHOWN: Final = 16
"""Hex digits of the fingerprint: enough to tell clusters apart, and never what trust rests on."""
LABEL: Final = 60
"""Bytes of a DNS label (63, RFC 1035 2.3.4) but for what a second one of the same name gets behind it."""
_TEXT = {
    "id": re.compile(r"[0-9a-z-]{1,64}"),
    "fp": re.compile(r"[0-9a-f]{16}"),
    "name": re.compile(r"[\w.-]{1,63}", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class Sighting:
    """What somebody on the LAN says of himself. `fingerprint` is the beginning of one, in hex."""

    cluster_id: str
    fingerprint: str
    name: HostName
    address: IpAddress
    port: int

    @property
    def text(self) -> Mapping[str, str]:
        """What goes into the TXT record."""
        return {"v": FORMAT, "id": self.cluster_id, "fp": self.fingerprint, "name": self.name}

    @property
    def label(self) -> str:
        """One DNS label that no other member's announcement has: the same host name may be in several clusters."""
        return f"{self.cluster_id[:SHOWN]}-{self.name.replace('.', '-')}"[:LABEL]

    def is_of(self, fingerprint: bytes) -> bool:
        """Whether it claims to be of the cluster whose authority has this fingerprint."""
        return self.fingerprint == shown(fingerprint)


def shown(fingerprint: bytes) -> str:
    """What is told of a fingerprint on the LAN."""
    return fingerprint.hex()[:SHOWN]


def read(text: Mapping[str, str | None], addresses: Sequence[str], port: int | None) -> Sighting | None:
    """What was announced; None when that is nothing we understand, or could be at no address of another host.

    Whatever passes may be printed: no control characters, nothing long.
    """
    said = {key: text.get(key) or "" for key in _TEXT}
    well_formed = all(form.fullmatch(said[key]) for key, form in _TEXT.items())
    address = next((it for it in map(_reachable, addresses) if it is not None), None)
    if text.get("v") != FORMAT or not well_formed or address is None or not port:
        return None
    return Sighting(said["id"], said["fp"], HostName(said["name"]), address, port)


def _reachable(text: str) -> IpAddress | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address if is_reachable(address) else None
