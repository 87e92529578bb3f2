"""Members announce themselves by multicast DNS on real interfaces, and on no other ones."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest
from tests.functional.kernel import ip, private_host

from ovsnet.cluster.announce import announced, look_around
from ovsnet.cluster.sighting import Sighting
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import HostName, IpAddress

pytestmark = [pytest.mark.functional, pytest.mark.row(53)]

AT_0, AT_1 = ip_address("192.0.2.1"), ip_address("198.51.100.1")
AT_0_V6 = ip_address("fd01::1")
LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""zeroconf closes a socket that it could not bind by forgetting it, which is at once, and which Python warns of."""
HEARD = 10.0
"""Seconds at most; who is heard is heard after one."""


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """With two interfaces."""
    with private_host():
        for name, *addresses in (("eth0", f"{AT_0}/24", f"{AT_0_V6}/64"), ("eth1", f"{AT_1}/24")):
            ip("link", "add", name, "type", "bridge")
            ip("link", "set", name, "up")
            for address in addresses:
                ip("addr", "add", address, "dev", name, *(("nodad",) if ":" in address else ()))
        yield


def member(name: str, address: IpAddress = AT_0, cluster: str = "6f1c2d3e4f5a6b7c") -> Sighting:
    return Sighting(cluster, "ab" * 8, HostName(name), address, 7641)


async def heard_on(*addresses: IpAddress, until: int = 1, seconds: float = HEARD) -> set[Sighting]:
    """Who is heard there, until so many were."""
    found: set[Sighting] = set()
    enough = asyncio.Event()

    def tell(it: Sighting) -> None:
        found.add(it)
        if len(found) >= until:
            enough.set()

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look_around(addresses, seconds, tell))
        waiting = group.create_task(enough.wait())
        await asyncio.wait([looking, waiting], return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        waiting.cancel()
    return found


def listening() -> Sequence[str]:
    """Where port 5353 is open, as `ss` has it."""
    said = subprocess.run(["ss", "-Hulna", "sport", "=", ":5353"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3] for line in said.splitlines()]


@pytest.mark.parametrize("address", [AT_0, AT_0_V6], ids=str)
async def test_a_member_is_heard_on_its_interface(address: IpAddress) -> None:
    it = member("web.1", address)
    async with announced(it, "eth0"):
        assert await heard_on(address) == {it}


async def test_members_of_the_same_name_are_told_apart_by_their_clusters() -> None:
    one, other = member("web"), member("web", cluster="0123456789abcdef")
    async with announced(one, "eth0"), announced(other, "eth0"):
        assert await heard_on(AT_0, AT_0_V6, AT_1, until=2) == {one, other}


async def test_it_is_open_on_its_interface_only_and_nothing_stays_open() -> None:
    async with announced(member("web"), "eth0"):
        assert listening()
        assert all(re.search("%eth0:5353$", it) for it in listening()), listening()
        # Somebody else listens for multicast on the other interface, which the kernel would hand to everybody.
        assert await heard_on(AT_1, seconds=2.0) == set()
    assert listening() == []


async def test_who_has_gone_is_not_heard() -> None:
    async with announced(member("web"), "eth0"):
        pass
    assert await heard_on(AT_0, seconds=2.0) == set()


@LEFT_TO_THE_COLLECTOR
async def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.99"):
        async with announced(member("web", ip_address("192.0.2.99")), "eth0"):
            pass
    with pytest.raises(Unavailable, match=r"multicast DNS .* 192\.0\.2\.99"):
        await look_around([ip_address("192.0.2.99")], 1.0, print)
    assert listening() == []


@LEFT_TO_THE_COLLECTOR
async def test_a_program_that_has_the_port_for_itself_is_told() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("0.0.0.0", 5353))
    try:
        with pytest.raises(Unavailable, match="already in use"):
            await look_around([AT_0], 1.0, print)
    finally:
        transport.close()


def test_an_agent_that_does_not_use_it_does_not_load_it() -> None:
    """It costs megabytes."""
    program = "import sys, ovsnet.agent.main; sys.exit('zeroconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
