"""Names added by hand."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.sharing.records import Records
from ovsnet.model.cluster import Cluster, Member, SharedNetwork
from ovsnet.model.errors import BadRequest, NotFound
from ovsnet.model.ids import NOT_SHARED, HostName, SharedId, Vni
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED

H1 = HostName("h1")
WEB = SharedNetwork(SharedId("a1b2c3"), Vni(1), H1, name="web")
ADDRESS = IPv4Address("10.0.0.1")


@pytest.fixture
def store() -> MemoryStore[Cluster]:
    return MemoryStore(SHARED, Cluster(members={H1: Member(H1, ADDRESS, ADDRESS)}, networks={WEB.id: WEB}))


@pytest.fixture
def records(store: MemoryStore[Cluster]) -> Records:
    return Records(Committer(store), H1)


async def test_a_name_stands_for_several_addresses_on_one_network_or_on_all(
    store: MemoryStore[Cluster], records: Records
) -> None:
    await records.add("DB", "192.0.2.1", "")
    await records.add("db.", "2001:db8::1", "web")
    await records.add("db", "2001:db8::1", "a1b2")

    assert {it.key for it in store.snapshot().records.values()} == {
        (NOT_SHARED, "db", IPv4Address("192.0.2.1")),
        (WEB.id, "db", IPv6Address("2001:db8::1")),
    }


async def test_it_is_removed_from_where_it_was_added_and_only_once(
    store: MemoryStore[Cluster], records: Records
) -> None:
    await records.add("db", "192.0.2.1", "web")

    assert not await records.drop("db", "192.0.2.1", "")
    assert await records.drop("db", "192.0.2.1", "web")
    assert not await records.drop("db", "192.0.2.1", "web")
    assert not store.snapshot().records


@pytest.mark.parametrize("name", ["", ".", "a b", "a..b", "-a", "a" * 64, ".".join(["a" * 60] * 5), "ä"])
async def test_what_cannot_be_a_name_is_refused(records: Records, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be a name"):
        await records.add(name, "192.0.2.1", "")


async def test_a_name_stands_for_an_address_only(records: Records) -> None:
    with pytest.raises(BadRequest, match="not an IP address"):
        await records.add("db", "elsewhere", "")


async def test_an_unknown_network_is_told_with_the_known_ones(records: Records) -> None:
    with pytest.raises(NotFound, match="known are: web"):
        await records.add("db", "192.0.2.1", "nothing")
