"""Who of those that announce themselves is asked, who is believed, and what a person hears when nobody is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address

import pytest

from ovsnet.cluster.sighting import Sighting, shown
from ovsnet.control.membership import search
from ovsnet.control.membership.search import MOST, Look, Search
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, IpAddress

OURS, OTHERS = bytes([1] * 32), bytes([2] * 32)
FIRST, SECOND = ip_address("10.0.0.1"), ip_address("10.0.0.2")


def sighting(address: IpAddress, fingerprint: bytes = OURS, port: int = 7641) -> Sighting:
    return Sighting(f"of-{fingerprint[0]}", shown(fingerprint), HostName("h"), address, port)


def heard(*found: Sighting) -> Look:
    """A LAN on which these announce themselves at once, and nobody afterwards."""

    async def look(_: float, tell: Callable[[Sighting], None]) -> None:
        for it in found:
            tell(it)

    return look


class Lan:
    """Members by their addresses; others do not prove to be one, and one of `silent` does not answer at all."""

    def __init__(self, *members: IpAddress, silent: Sequence[IpAddress] = ()) -> None:
        self.members = members
        self.silent = silent
        self.asked: list[IpAddress] = []

    async def prove(self, address: IpAddress) -> None:
        self.asked.append(address)
        if address in self.silent:
            await asyncio.get_running_loop().create_future()
        if address not in self.members:
            raise Unavailable(f"the host at {address}", "its certificate is not accepted")


async def joined(address: IpAddress) -> IpAddress:
    return address


def refusing(*refusals: tuple[IpAddress, OvsnetError]) -> Callable[[IpAddress], Awaitable[IpAddress]]:
    async def attempt(address: IpAddress) -> IpAddress:
        for where, error in refusals:
            if address == where:
                raise error
        return address

    return attempt


async def test_the_one_that_proves_to_be_a_member_is_joined() -> None:
    lan = Lan(SECOND)
    found = await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST), sighting(SECOND)), joined)
    assert found == SECOND


async def test_a_member_of_another_cluster_is_not_even_asked() -> None:
    lan = Lan(FIRST, SECOND)
    with pytest.raises(Unavailable, match="other clusters are there: of-2; give the address of a member") as refused:
        await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST, OTHERS)), joined)
    assert lan.asked == []
    assert "mdns = true" in str(refused.value)


async def test_one_that_never_answers_holds_nobody_up() -> None:
    lan = Lan(SECOND, silent=[FIRST])
    async with asyncio.timeout(search.PROOF / 2):
        found = await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST), sighting(SECOND)), joined)
    assert found == SECOND


async def test_one_that_never_answers_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PROOF", 0.01)
    with pytest.raises(Unavailable, match=r"10\.0\.0\.1 \(no answer within 0\.01 seconds\)"):
        await Search(OURS, 7641, Lan(silent=[FIRST]).prove).first(heard(sighting(FIRST)), joined)


async def test_nobody_there_is_told_with_what_to_do() -> None:
    with pytest.raises(Unavailable, match="none announced itself here within 5 seconds; give the address of a member"):
        await Search(OURS, 7641, Lan().prove).first(heard(), joined)


async def test_who_cannot_prove_it_is_never_told_anything_and_named() -> None:
    told: list[IpAddress] = []

    async def attempt(address: IpAddress) -> None:
        told.append(address)

    with pytest.raises(Unavailable, match=r"10\.0\.0\.1 \(.*its certificate is not accepted\)"):
        await Search(OURS, 7641, Lan().prove).first(heard(sighting(FIRST)), attempt)
    assert told == []


async def test_a_member_that_cannot_let_in_is_passed_over() -> None:
    attempt = refusing((FIRST, Unavailable("the cluster", "no voter is known")))
    lan = Lan(FIRST, SECOND)
    assert await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST), sighting(SECOND)), attempt) == SECOND
    with pytest.raises(Unavailable, match="no voter is known"):
        await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST)), attempt)


@pytest.mark.parametrize("refusal", [BadRequest("the join token is not valid"), Conflict("has a host named h already")])
async def test_what_a_member_refuses_is_refused(refusal: OvsnetError) -> None:
    lan, attempt = Lan(FIRST, SECOND), refusing((FIRST, refusal), (SECOND, BadRequest("asked twice")))
    with pytest.raises(type(refusal), match=str(refusal)):
        await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST), sighting(SECOND)), attempt)


async def test_another_port_than_ours_is_told() -> None:
    lan = Lan(FIRST)
    with pytest.raises(Unavailable, match="it announces port 7000, cluster_port is 7641 here"):
        await Search(OURS, 7641, lan.prove).first(heard(sighting(FIRST, port=7000)), joined)
    assert lan.asked == []


async def test_a_flood_of_announcements_makes_us_ask_a_few_hosts_once_each() -> None:
    lan = Lan()
    crowd = [sighting(FIRST + number % 100) for number in range(1000)]
    with pytest.raises(Unavailable, match="and 11 more") as refused:
        await Search(OURS, 7641, lan.prove).first(heard(*crowd), joined)
    assert len(lan.asked) == len(set(lan.asked)) == MOST
    assert len(str(refused.value)) < 2000


async def test_a_host_that_cannot_listen_says_why() -> None:
    async def deaf(_: float, __: Callable[[Sighting], None]) -> None:
        raise Unavailable("multicast DNS (UDP port 5353)", "address already in use")

    with pytest.raises(Unavailable, match="address already in use; give the address of a member"):
        await Search(OURS, 7641, Lan().prove).first(deaf, joined)
