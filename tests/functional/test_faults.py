"""The n-th change of the host is refused, or the last of its process, for every n: what is wanted comes all the same.

    nothing ─► attached ─► changed ─► nothing      once without a fault: this is how it must look
                  ▲ for each n: the n-th change on this way is refused, is not answered, is refused and then
                    wanted no more, or the process dies right before or right after it

After each part the host must look, from the outside, as it does without a fault: with all that is wanted, without
anything that is left over, and with everything that is somebody else's as it was.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Any

import pytest
from tests.functional.boundary import Fate, watched
from tests.functional.fault_world import Life, Station, Wanted, World, differing, world
from tests.states import DB, FAST, WEB, endpoint, state
from tests.unit.pipeline.scenarios import SHARED_DB, B, C, overlay, remote

from ovsnet.model.attachment import Attachment, Target, TargetKind
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import Medium, Route, Rule
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Vlan, Vni
from ovsnet.model.network import Egress, Network, NetworkOptions
from ovsnet.model.overlay import TunnelKind
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.reconcile.converge import Round

pytestmark = [
    pytest.mark.functional,
    pytest.mark.row(8, 94),
    # A process that dies leaves things undone.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

SENT_TO = 5353
NAT = replace(DB, options=NetworkOptions(egress=Egress.NAT))
APART = replace(NAT, id=NetworkId("c3" * 32), vni=Vni(12), name="apart", space="blue", space_number=1)


class Ends(StrEnum):
    """How a fault goes on."""

    REFUSED = "refused"
    UNANSWERED = "unanswered"
    WITHDRAWN = "refused and withdrawn"
    LOST = "unanswered and withdrawn"
    BEFORE = "dead before"
    AFTER = "dead after"


FATES = {
    Ends.REFUSED: Fate.REFUSED,
    Ends.UNANSWERED: Fate.UNANSWERED,
    Ends.WITHDRAWN: Fate.REFUSED,
    Ends.LOST: Fate.UNANSWERED,
    Ends.BEFORE: Fate.DIES_BEFORE,
    Ends.AFTER: Fate.DIES_AFTER,
}
WITHDRAWN = (Ends.WITHDRAWN, Ends.LOST)


# ------------------------------------------------------------------------- what is attached and changed


def station(*values: Network | Endpoint) -> Station:
    return Station(state(*values))


def veths(host: World) -> tuple[Station, Station]:
    """Two containers; of one the engine has moved the interface, which gets a bound."""
    waiting, placed = endpoint(1), replace(endpoint(2), sandbox=host.c2.sandbox, ifname="eth0")
    bound = replace(placed, rate=50_000_000, container_name="other")
    return station(WEB, waiting, placed), station(WEB, replace(waiting, vlan=Vlan(7)), bound)


def internal(host: World) -> tuple[Station, Station]:
    """One container with an internal port."""
    placed = replace(endpoint(3, FAST), sandbox=host.c1.sandbox, ifname=f"oi{'03' * 5}00")
    return station(FAST, placed), station(FAST, replace(placed, vlan=Vlan(9)))


def published(host: World) -> tuple[Station, Station]:
    """One container behind a gateway of this host, with ports that lead to it."""
    it = replace(endpoint(4, NAT), sandbox=host.c1.sandbox, ifname="eth0")
    web = Publication(Transport.TCP, IPv4Address(0), 8080, 80)
    name = Publication(Transport.UDP, IPv4Address(0), SENT_TO, 53)
    return station(NAT, replace(it, published=(web, name))), station(NAT, replace(it, published=(web,)))


def apart(host: World) -> tuple[Station, Station]:
    """The same in an address space of its own, beside a network of the same subnet."""
    it = replace(endpoint(4, APART), sandbox=host.c1.sandbox, ifname="eth0")
    web = Publication(Transport.TCP, IPv4Address(0), 8080, 80)
    return station(NAT, APART, replace(it, published=(web,))), station(APART, it)


def attachment(number: int, host: World, **more: Any) -> Attachment:
    target = Target(TargetKind.NETNS, host.c1.sandbox, host.c1.name)
    mac = Mac(f"0a:00:00:00:02:{number:02x}")
    it = Attachment(EndpointId(f"{number:02x}" * 32), target, f"att{number}", mac, sandbox=host.c1.sandbox)
    return replace(it, **more)


def attached(host: World) -> tuple[Station, Station]:
    """An interface on a bridge that is made for it, with everything that it may have inside."""
    there = attachment(
        5,
        host,
        bridge="lan",
        makes_bridge=True,
        vlan=Vlan(5),
        addresses=(ip_interface("192.0.2.7/24"), ip_interface("2001:db8::7/64")),
        gateways=(ip_address("192.0.2.1"),),
        routes=(Route(ip_network("203.0.113.0/24"), ip_address("192.0.2.2"), 5),),
        rules=(Rule(4, 5, ip_network("192.0.2.7/32"), priority=100),),
        shape=Shape(rate=80_000_000),
    )
    changed = replace(
        there,
        vlan=Vlan(6),
        addresses=(ip_interface("192.0.2.8/24"), ip_interface("2001:db8::8/64")),
        gateways=(),
        routes=(Route(ip_network("203.0.114.0/24"), ip_address("192.0.2.2")),),
        rules=(Rule(4, 6, ip_network("192.0.2.8/32"), priority=101),),
        shape=Shape(rate=40_000_000),
        mtu=1400,
    )
    return of_attachments(there), of_attachments(changed)


def devices(host: World) -> tuple[Station, Station]:
    """Interfaces that are no ports: one on a NIC, and a NIC."""
    beside = attachment(7, host, medium=Medium.MACVLAN, nic="nic0", addresses=(ip_interface("192.0.3.7/24"),))
    nic = attachment(8, host, medium=Medium.NIC, nic="nic1", addresses=(ip_interface("192.0.4.8/24"),))
    moved = [replace(it, addresses=(it.addresses[0] + 1,)) for it in (beside, nic)]
    return of_attachments(beside, nic), of_attachments(*moved)


def of_attachments(*them: Attachment) -> Station:
    return Station(State(attachments={it.id: it for it in them}))


def tunnels(_: World) -> tuple[Station, Station]:
    """One container on a network that other hosts have, too; one of these goes, and another one comes."""
    here = state(SHARED_DB, endpoint(3, SHARED_DB))
    before = overlay(remote(5, B), remote(6, B), kind=TunnelKind.KERNEL)
    return Station(here, before), Station(here, overlay(remote(6, B), remote(7, C), kind=TunnelKind.KERNEL))


SCENES = {it.__name__: it for it in (veths, internal, published, apart, attached, devices, tunnels)}


# ------------------------------------------------------------------------- one way with one fault


@dataclass
class Way:
    """nothing ─► attached ─► changed ─► nothing, with at most one fault; `wrong` says what was not as it must be."""

    host: World
    stations: tuple[Station, ...]
    ends: Ends
    expected: list[dict[str, Any]]
    wrong: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    judged: str = ""

    async def go(self, number: int) -> None:
        """The fault happens to the change of that number; 0 for none."""
        self.wanted, self.goal, self.taken_back = Wanted(self.stations), 1, False
        self.host.boundary.arm(number, FATES[self.ends])
        while self.goal < len(self.stations):
            self.host.boundary.revive()
            await Life(self.host, self.wanted, self._after_round).run(self._live)

    async def _live(self, life: Life) -> None:
        self.life = life
        while self.goal < len(self.stations):
            if self.wanted.at != self.goal:
                self.wanted.go(self.goal)
            await self._arrive(life)
            self.goal += 1

    async def _arrive(self, life: Life) -> None:
        refused = await life.settled()
        if self.taken_back and self.wanted.at != self.goal:
            await self._judge(life, self.goal - 1, refused, "taken back: ")
            self.wanted.go(self.goal)
            refused = await life.settled()
        await self._judge(life, self.goal, refused, "")

    async def _judge(self, life: Life, at: int, refused: str, when: str) -> None:
        """Where the fault has been, and at the end: what is there for a while only must be gone by then."""
        struck = self.host.boundary.struck
        self.host.send_by_udp(SENT_TO)
        if refused or not self.expected or at == len(self.stations) - 1 or struck != self.judged or when:
            drift = [] if refused else await life.drift()
            shown = self.host.shown()
            self.seen.append(shown)
            differences = differing(self.expected[at], shown) if self.expected else []
            self.wrong += [f"{when}station {at}: {it}" for it in (refused, *drift, *differences) if it]
            self.judged = "" if when else struck

    def _after_round(self, _: Round) -> None:
        """What was refused for too long is wanted no more: whoever asked for it has been told so."""
        if self.ends in WITHDRAWN and self.host.boundary.struck and not self.taken_back:
            self.taken_back = True
            self.wanted.go(self.goal - 1)
            self.life.loop.nudge()


@pytest.fixture(scope="module")
def host() -> Iterator[World]:
    """One for all sweeps: each leaves it as it was."""
    with world() as it, watched(it.boundary):
        yield it


@pytest.fixture(autouse=True)
def remains() -> Iterator[None]:
    """What dead processes left in this one is collected while it is known whose it is."""
    yield
    gc.collect()


async def expected(host: World, scene: str, stations: tuple[Station, ...]) -> list[dict[str, Any]]:
    """How it looks at each station where nothing is refused."""
    if scene not in host.looks or host.looks[scene][0] != host.shown():  # a bridge stays that another scene made
        for _ in range(2):  # what stays by intention, such as a bridge, is made by the first
            way = Way(host, stations, Ends.REFUSED, [])
            await way.go(0)
            assert way.wrong == []
        host.looks[scene] = [way.seen[-1], *way.seen]
    return host.looks[scene]


async def swept(host: World, scene: str, ends: Ends, stride: int = 1) -> tuple[int, list[str]]:
    """How many changes there are, and what was wrong after a fault of one of them, of every one with the stride 1."""
    there, changed = SCENES[scene](host)
    stations = (Station(), there, changed, Station())
    looks = await expected(host, scene, stations)
    number = 1
    wrong: list[str] = []
    while True:
        way = Way(host, stations, ends, looks)
        await way.go(number)
        struck = host.boundary.struck
        if not struck:
            return number - 1, wrong
        wrong += [f"{number} {ends}: {struck}: {it}" for it in way.wrong]
        number += stride


WAYS = ("ovs-ofctl", "netlink", "nft", "sysctl", "transaction")


async def test_every_way_to_the_host_is_counted(host: World) -> None:
    """Or else nothing would go wrong there, and nobody would notice."""
    there, changed = SCENES["published"](host)
    way = Way(host, (Station(), there, changed, Station()), Ends.REFUSED, [])
    await way.go(0)
    assert way.wrong == []
    assert {word for word in WAYS if any(it.startswith(word) for it in host.boundary.changes)} == set(WAYS)


QUICK = (
    ("veths", Ends.AFTER, 7),
    ("published", Ends.WITHDRAWN, 17),
    ("apart", Ends.AFTER, 17),
    ("attached", Ends.REFUSED, 11),
)
"""And at every how many changes something goes wrong."""


@pytest.mark.parametrize(("scene", "ends", "stride"), QUICK)
async def test_whatever_goes_wrong_once_the_host_becomes_what_is_wanted(
    host: World, scene: str, ends: Ends, stride: int
) -> None:
    number, wrong = await swept(host, scene, ends, stride)
    assert not wrong, "\n".join(wrong)
    assert number > stride


@pytest.mark.long
@pytest.mark.parametrize("ends", Ends)
@pytest.mark.parametrize("scene", SCENES)
async def test_whichever_change_goes_wrong_the_host_becomes_what_is_wanted(host: World, scene: str, ends: Ends) -> None:
    number, wrong = await swept(host, scene, ends)
    assert not wrong, "\n".join(wrong)
    assert number > 9
