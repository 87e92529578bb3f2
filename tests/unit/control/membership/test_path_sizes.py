"""The way to other hosts: who is looked at, when again, and what is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

from ovsnet.control.membership.path_sizes import TROUBLED, Need, PathSizes, needs
from ovsnet.model.cluster import Cluster, Member, RemoteEndpoint, SharedNetwork
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, HostName, IpAddress, Mac, SharedId, Vni
from ovsnet.model.network import NetworkOptions
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.paths import Path, PathState
from tests.fakes.clock import jumping

ME, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
VTEPS = {name: ip_address(f"10.99.0.{n}") for n, name in enumerate((ME, H2, H3), 1)}
WEB, BIG = SharedId("web"), SharedId("big")
PERIOD = 300.0


def network(key: SharedId, mtu: int) -> SharedNetwork:
    return SharedNetwork(key, Vni(mtu), ME, name=key, options=NetworkOptions(mtu=mtu))


def remote(number: int, host: HostName, key: SharedId) -> RemoteEndpoint:
    mac = Mac(f"0a:00:00:00:00:{number:02x}")
    return RemoteEndpoint(EndpointId(f"e{number}"), key, host, mac, IPv4Address(f"10.20.0.{number}"))


CLUSTER = Cluster(
    members={name: Member(name, it, it) for name, it in VTEPS.items()},
    networks={WEB: network(WEB, 1450), BIG: network(BIG, 8950)},
)
PEERS = {name: it for name, it in VTEPS.items() if name != ME}


def overlay(*remotes: RemoteEndpoint) -> Overlay:
    keys = {it.network for it in remotes}
    return Overlay(
        VTEPS[ME],
        "eth1",
        TunnelKind.KERNEL,
        peers=PEERS,
        remotes={key: tuple(it for it in remotes if it.network == key) for key in keys},
    )


class Ways:
    """What fits on the way to each host, and who was asked when."""

    def __init__(self, **sizes: int | None) -> None:
        self.sizes = {VTEPS[HostName(name)]: size for name, size in sizes.items()}
        self.asked: list[tuple[float, IpAddress]] = []
        self.overlay: Overlay | None = overlay(remote(2, H2, WEB))

    async def probe(self, peer: IpAddress) -> int | None:
        self.asked.append((asyncio.get_running_loop().time(), peer))
        if peer not in self.sizes:
            raise Unavailable(f"a way to {peer}", "no route")
        return self.sizes[peer]

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[PathSizes]:
        paths = PathSizes(ME, lambda: CLUSTER, lambda: self.overlay, self.probe, PERIOD)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(paths.run())
            await asyncio.sleep(1)
            yield paths
            task.cancel()


def test_a_host_is_asked_for_what_the_largest_network_sends_that_has_containers_on_both() -> None:
    found = needs(CLUSTER, overlay(remote(2, H2, WEB), remote(3, H2, BIG), remote(4, H3, WEB)))

    assert found == {H2: Need(VTEPS[H2], 9000, "big"), H3: Need(VTEPS[H3], 1500, "web")}


def test_over_ipv6_the_tunnel_needs_more() -> None:
    over_v6 = replace(overlay(remote(2, H2, WEB)), local=ip_address("fd99::1"))

    assert needs(CLUSTER, over_v6)[H2].size == 1520


@jumping
async def test_a_way_that_is_wide_enough_is_tried_once_a_period_and_nothing_is_said() -> None:
    ways = Ways(h2=1500)
    async with ways.watched() as paths:
        await asyncio.sleep(2 * PERIOD)
        assert paths.warnings() == ()
    assert [when for when, _ in ways.asked] == [0, PERIOD, 2 * PERIOD]


@jumping
async def test_a_way_that_is_too_narrow_is_told_with_both_hosts_and_sizes_until_it_is_wide_again() -> None:
    ways = Ways(h2=1300)
    async with ways.watched() as paths:
        (said,) = paths.warnings()
        assert "at most 1300 bytes get from host h1 (10.99.0.1) to host h2 (10.99.0.2)" in said
        assert "network web sends up to 1500" in said
        assert said.endswith("or make the network anew with -o mtu=1250.")
        ways.sizes[VTEPS[H2]] = 1500
        await asyncio.sleep(TROUBLED)
        assert paths.warnings() == ()


@jumping
async def test_one_probe_that_got_lost_says_nothing() -> None:
    ways = Ways()
    answers = iter([1492, 1500])

    async def probe(_: IpAddress) -> int:
        return next(answers)

    ways.probe = probe  # type: ignore[method-assign, assignment]
    async with ways.watched() as paths:
        assert paths.warnings() == ()


@jumping
async def test_silence_is_told_of_a_host_that_has_answered_before_and_of_no_other() -> None:
    ways = Ways(h2=1500, h3=None)
    ways.overlay = overlay(remote(2, H2, WEB), remote(3, H3, WEB))
    async with ways.watched() as paths:
        assert paths.warnings() == ()
        del ways.sizes[VTEPS[H2]]
        await asyncio.sleep(PERIOD)
        (said,) = paths.warnings()
        assert "Nothing gets from host h1 (10.99.0.1) to host h2 (10.99.0.2) any more" in said
        ways.overlay = replace(ways.overlay, kind=TunnelKind.OVS)
        assert paths.warnings() == ()  # Open vSwitch watches its ways itself


@jumping
async def test_a_host_is_looked_at_when_it_appears_and_forgotten_when_it_shares_nothing_any_more() -> None:
    ways = Ways(h2=1500, h3=1300)
    async with ways.watched() as paths:
        ways.overlay = overlay(remote(2, H2, WEB), remote(3, H3, WEB))
        paths.nudge()
        await asyncio.sleep(1)
        assert len(paths.warnings()) == 1
        ways.overlay = overlay(remote(2, H2, WEB))
        paths.nudge()
        await asyncio.sleep(1)
        assert paths.warnings() == ()
    assert [to for _, to in ways.asked] == [VTEPS[H2], VTEPS[H3], VTEPS[H3]]


@jumping
async def test_a_way_is_up_while_its_end_answers_and_down_only_if_it_did_before() -> None:
    ways = Ways(h2=1500, h3=None)
    ways.overlay = overlay(remote(2, H2, WEB), remote(3, H3, WEB))
    async with ways.watched() as paths:
        states = {name: it.state for name, it in paths.paths().items()}
        assert states == {H2: PathState.UP, H3: PathState.UNKNOWN}
        ways.sizes[VTEPS[H2]] = None
        await asyncio.sleep(2 * PERIOD)
        assert paths.paths()[H2] == Path(PathState.DOWN, "it answers no probe")


@jumping
async def test_where_the_switch_watches_the_ways_nothing_is_said_of_them_here() -> None:
    ways = Ways(h2=1500)
    ways.overlay = replace(overlay(remote(2, H2, WEB)), kind=TunnelKind.OVS)
    async with ways.watched() as paths:
        assert paths.paths() == {}
