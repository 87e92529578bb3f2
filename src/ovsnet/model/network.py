"""What a network may be. `parse_options` is the one place that knows the `-o` options. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ovsnet.model.errors import BadRequest, Conflict, NotFound
from ovsnet.model.ids import MAX_VNI, NOT_SHARED, UNTAGGED, NetworkId, SharedId, Vlan, Vni, parse_vlan, short
from ovsnet.model.shaping import parse_rate

ENGINE_PREFIX = "com.docker.network."
"""Options with this prefix are the engine's own; we use the MTU and let the others pass."""
MTU_ALIAS = "com.docker.network.driver.mtu"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MIN_MTU, MAX_MTU, MIN_IPV6_MTU = 68, 65535, 1280
"""RFC 791 3.2, the kernel's limit for a veth, RFC 8200 5."""
DEFAULT_MTU = 1500


class Mode(StrEnum):
    """How the hosts of a network are joined."""

    BRIDGE = "bridge"
    """One host."""
    OVERLAY = "overlay"
    """All hosts of the cluster, over tunnels."""
    UNDERLAY = "underlay"
    """All hosts of the cluster, as frames of one VLAN on the hosts' trunks: no tunnel."""
    UPLINK = "uplink"
    """This host, on the LAN behind one of its NICs: the containers are machines of that LAN, or of a VLAN of it."""


EVERYWHERE = frozenset({Mode.OVERLAY, Mode.UNDERLAY})
"""The modes in which a network is the cluster's and not one host's."""


class PortKind(StrEnum):
    """What the container's interface is made of."""

    VETH = "veth"
    INTERNAL = "internal"
    VXLAN = "vxlan"
    """Never a container's: the port of the tunnels to other hosts."""
    GENEVE = "geneve"
    """The same in a cluster whose tunnels are Geneve."""
    PATCH = "patch"
    """Never a container's: one end of a cable between two bridges."""


CONTAINER_PORTS = (PortKind.VETH, PortKind.INTERNAL)
"""What a container can have."""


class Egress(StrEnum):
    """How a container leaves its network."""

    DOCKER = "docker"
    NAT = "nat"
    """By its gateway on our bridge, which is this host: with the host's address."""
    ROUTED = "routed"
    """The same with its own address."""
    NONE = "none"
    LAN = "lan"
    """By the LAN's own router: with `mode=uplink` only."""


class Multicast(StrEnum):
    """To whom packets of a multicast group go."""

    SNOOP = "snoop"
    FLOOD = "flood"


FAMILIES: Mapping[str, tuple[int, ...]] = {"": (), "v4": (4,), "v6": (6,), "both": (4, 6)}
"""How people say for which IP versions DHCP is to be used."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The `-o` options of a network, all valid together.

    `rate` is the most each endpoint may send, and the most it may receive, in bits a second, 0 for no bound. `uplink`
    is the NIC of a network with mode=uplink; there `dhcp` are the IP versions for which servers of the LAN give the
    addresses, and `slaac` says that its routers do. `domain` is the routing domain, "" for none: networks of one domain
    reach each other by their gateways.
    """

    mode: Mode = Mode.BRIDGE
    vlan: Vlan = UNTAGGED
    mtu: int = DEFAULT_MTU
    port: PortKind = PortKind.VETH
    icc: bool = True
    egress: Egress = Egress.DOCKER
    multicast: Multicast = Multicast.SNOOP
    rate: int = 0
    uplink: str = ""
    dhcp: tuple[int, ...] = ()
    slaac: bool = False
    domain: str = ""

    @property
    def on_uplink(self) -> bool:
        """True where the network is a LAN that others are on, too, with a router of their own."""
        return self.mode is Mode.UPLINK

    @property
    def from_lan(self) -> bool:
        """True where endpoints have addresses from the LAN's servers or routers."""
        return bool(self.dhcp) or self.slaac


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """The `--driver-opt` options of one endpoint; None where the network's count."""

    vlan: Vlan | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class AskedOptions:
    """The `-o` options of a network as they were given.

    `mode`, `mtu`, `vni` and `egress` are None where they were not: what they are then depends on the cluster and on the
    mode, and so the ones in `options` do not count.
    """

    options: NetworkOptions = field(default_factory=NetworkOptions)
    mode: Mode | None = None
    mtu: int | None = None
    vni: Vni | None = None
    egress: Egress | None = None

    def resolved(self, *, mode: Mode, mtu: int, ipv6: bool) -> NetworkOptions:
        """All options with these defaults; BadRequest when the MTU is too small for IPv6."""
        chosen = replace(self.options, mode=self.mode or mode, mtu=self.mtu or mtu)
        if ipv6 and chosen.mtu < MIN_IPV6_MTU:
            raise BadRequest(f"mtu={chosen.mtu} is too small for IPv6; use at least {MIN_IPV6_MTU} or leave --ipv6 out")
        return chosen


@dataclass(frozen=True, slots=True)
class Network:
    """One Docker network of our driver on this host.

    `space` is the name of the address space its subnets are unique in, "" for the one all networks are in that name
    none; `space_number` is that space's on this host, where it leads out by us (`spaces.py`). `shared` is the network
    of the cluster it is a part of, "" for one of this host alone. `exposed`: this host and the containers reach each
    other. `name` and `labels` come later, from the engine's events ("" until then).
    """

    id: NetworkId
    vni: Vni
    options: NetworkOptions = field(default_factory=NetworkOptions)
    internal: bool = False
    ipv4: IPv4Network | None = None
    ipv6: IPv6Network | None = None
    gateway4: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    space: str = ""
    shared: SharedId = NOT_SHARED
    exposed: bool = False
    space_number: int = 0
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    created_at: float = 0.0

    @property
    def title(self) -> str:
        """The name people know it by, or the short id while the name is not known."""
        return self.name or self.id[:12]

    @property
    def addressed(self) -> bool:
        """False on a network with the null IPAM driver: its endpoints are layer 2 only."""
        return self.ipv4 is not None or self.ipv6 is not None


def find_network(networks: Mapping[NetworkId, Network], wanted: str) -> Network:
    """A whole id wins over a name and a name over the beginning of an id, as in `docker network inspect`."""
    if NetworkId(wanted) in networks:
        return networks[NetworkId(wanted)]
    named = [it for it in networks.values() if it.name == wanted]
    begun = [it for it in networks.values() if wanted and it.id.startswith(wanted)]
    found = named or begun
    if len(found) > 1:
        ids = ", ".join(sorted(short(it.id) for it in found))
        raise Conflict(f"network {wanted!r} could be any of {ids}; give a longer part of the id")
    if not found:
        raise NotFound(f"network {wanted!r} does not exist; known are: {_known(networks.values())}")
    return found[0]


def _known(networks: Iterable[Network]) -> str:
    titles = sorted(it.title for it in networks)
    shown = ", ".join(titles[:20])
    return f"{shown} and {len(titles) - 20} more" if len(titles) > 20 else shown or "none"


def _choice(key: str, allowed: Iterable[StrEnum]) -> Callable[[str], StrEnum]:
    choices = {it.value: it for it in allowed}

    def parse(text: str) -> StrEnum:
        if text not in choices:
            raise BadRequest(f"{key}={text!r} is not known; use one of: {', '.join(choices)}")
        return choices[text]

    return parse


def _mtu(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not MIN_MTU <= int(text) <= MAX_MTU:
        raise BadRequest(f"mtu={text!r} is not an MTU; use a whole number of bytes from {MIN_MTU} to {MAX_MTU}")
    return int(text)


def _dhcp(text: str) -> tuple[int, ...]:
    if not text or text not in FAMILIES:
        raise BadRequest(f"dhcp={text!r} is not known; use one of: {', '.join(filter(None, FAMILIES))}")
    return FAMILIES[text]


def _nic(text: str) -> str:
    if text.split() != [text] or "/" in text:
        raise BadRequest(f"uplink={text!r} is no name of an interface; use that of a NIC which is an uplink, like eth0")
    return text


def _vni(text: str) -> Vni:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_VNI:
        raise BadRequest(f"vni={text!r} is not a VNI; use a whole number from 1 to {MAX_VNI}")
    return Vni(int(text))


def _name(key: str, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not _NAME.fullmatch(text):
            raise BadRequest(
                f"{key}={text!r} is not the name of {what}; use up to 63 letters, digits, '-', '_' and '.', beginning "
                "with a letter or a digit"
            )
        return text

    return parse


def _rate(text: str) -> int:
    if not text:
        raise BadRequest("rate='' is no rate; write it like 100mbit, or 0 for no bound")
    return parse_rate(text, "rate=")


def _switch(key: str) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise BadRequest(f"{key}={text!r} is not known; use one of: true, false")
        return text.lower() == "true"

    return parse


@dataclass(frozen=True, slots=True)
class OptionRule:
    """One option: how its text is read and what the documentation says of it."""

    parse: Callable[[str], object]
    allowed: str
    help: str


NETWORK_OPTIONS: Mapping[str, OptionRule] = {
    "mode": OptionRule(
        _choice("mode", Mode),
        "bridge, overlay, underlay, uplink",
        "bridge: this host only; overlay: all hosts of the cluster, the default on a host that is in one; underlay: "
        "all hosts of the cluster without a tunnel, as a VLAN of their trunks; uplink: the LAN behind a NIC",
    ),
    "vlan": OptionRule(
        parse_vlan,
        "1-4094",
        "mode=bridge: VLAN of the network's ports, default untagged; mode=underlay: VLAN on the hosts' trunks, needed; "
        "mode=uplink: VLAN of the LAN, default untagged",
    ),
    "mtu": OptionRule(
        _mtu,
        f"{MIN_MTU}-{MAX_MTU}",
        f"bytes of the largest packet; default {DEFAULT_MTU}, with mode=overlay what fits into the tunnels, with "
        "mode=underlay that of the narrowest trunk, with mode=uplink that of the NIC",
    ),
    "vni": OptionRule(
        _vni, f"1-{MAX_VNI}", "the network's number on the switch and in the tunnels; default a free one"
    ),
    "port": OptionRule(_choice("port", CONTAINER_PORTS), "veth, internal", "what the container's interface is made of"),
    "icc": OptionRule(_switch("icc"), "true, false", "false: containers reach the gateway but not each other"),
    "egress": OptionRule(
        _choice("egress", Egress),
        "docker, nat, routed, none, lan",
        "docker: Docker's gateway bridge does NAT and -p; nat: by the network's gateway on our bridge, with the host's "
        "address; routed: the same with the container's own; none: not at all; lan: the LAN's router, with mode=uplink "
        "only, where it is the default",
    ),
    "domain": OptionRule(
        _name("domain", "a routing domain"),
        "a name",
        "with egress=nat and routed: networks of one domain reach each other, by their gateways; default none, and no "
        "other network is reached",
    ),
    "multicast": OptionRule(
        _choice("multicast", Multicast),
        "snoop, flood",
        "snoop: a group that somebody joined goes to those who did (IGMP, MLD); flood: every group goes to all",
    ),
    "rate": OptionRule(
        _rate,
        "like 100mbit, 0",
        "the most each endpoint may send, and the most it may receive; default no bound; with port=veth only",
    ),
    "uplink": OptionRule(_nic, "a NIC", "mode=uplink: the NIC, which 'ovsnet uplink add' has made one; needed"),
    "dhcp": OptionRule(
        _dhcp,
        ", ".join(filter(None, FAMILIES)),
        "mode=uplink: addresses of this family from the LAN's DHCP server",
    ),
    "slaac": OptionRule(
        _switch("slaac"), "true, false", "mode=uplink: IPv6 addresses in the prefixes that the LAN's routers announce"
    ),
}

ENDPOINT_OPTIONS: Mapping[str, OptionRule] = {
    "vlan": OptionRule(parse_vlan, "1-4094", "VLAN of this endpoint's port, instead of the network's"),
    "rate": OptionRule(
        _rate,
        "like 100mbit, 0",
        "the most this endpoint may send, and the most it may receive, instead of the network's; 0 for no bound; "
        "'ovsnet set CONTAINER NETWORK --rate RATE' changes it while it runs",
    ),
}

IPAM_OPTIONS: Mapping[str, OptionRule] = {
    "space": OptionRule(
        _name("space", "an address space"),
        "a name",
        "the address space of the network's subnets: they overlap no other one of the same space, and may overlap or "
        "equal those of others; default one that all networks share",
    ),
}


def parse_ipam_options(given: Mapping[str, str]) -> str:
    """The name of the address space, "" where none was given; BadRequest names every unknown key."""
    return str(_parse(given, IPAM_OPTIONS, "--ipam-opt").get("space", ""))


def parse_options(given: Mapping[str, str]) -> AskedOptions:
    """The options of a new network; BadRequest names every bad key with what is allowed, all in one message."""
    parsed = _parse(given, NETWORK_OPTIONS, "network option")
    vni = parsed.pop("vni", None)
    options = NetworkOptions(**parsed)  # type: ignore[arg-type]
    if MTU_ALIAS in given and "mtu" not in given:
        options = replace(options, mtu=_mtu(given[MTU_ALIAS]))
    return AskedOptions(
        options=options,
        mode=options.mode if "mode" in given else None,
        mtu=options.mtu if "mtu" in given or MTU_ALIAS in given else None,
        vni=None if vni is None else Vni(int(str(vni))),
        egress=options.egress if "egress" in given else None,
    )


def parse_endpoint_options(given: Mapping[str, str]) -> EndpointOptions:
    """What is asked for by `--driver-opt`; BadRequest names every unknown key."""
    return EndpointOptions(**_parse(given, ENDPOINT_OPTIONS, "endpoint option"))  # type: ignore[arg-type]


def _parse(given: Mapping[str, str], rules: Mapping[str, OptionRule], what: str) -> dict[str, object]:
    parsed: dict[str, object] = {}
    problems: list[str] = []
    for key, text in sorted(given.items()):
        if key.startswith(ENGINE_PREFIX):
            continue
        rule = rules.get(key)
        if rule is None:
            problems.append(f"{what} {key!r} is not known; known are: {', '.join(rules)}")
            continue
        try:
            parsed[key] = rule.parse(text)
        except BadRequest as problem:
            problems.append(f"{what} {problem}")
    if problems:
        raise BadRequest("; ".join(problems))
    return parsed
