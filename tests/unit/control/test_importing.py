"""`ovsnet import`: at which addresses services of elsewhere are, and who holds those."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.egress import nothing_else
from ovsnet.control.importing import Imports
from ovsnet.control.networks import network_removal
from ovsnet.control.requests import AddressRequest
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.gateways import detours
from ovsnet.model.ids import PoolId, SharedId
from ovsnet.model.network import Egress, Network, NetworkOptions
from ovsnet.model.services import IMPORTED
from ovsnet.model.state import State
from ovsnet.observe.services import all_imports
from ovsnet.settings import Settings
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import DB, WEB, endpoint, state

pytestmark = pytest.mark.row(44)
NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
POOLS = [Pool(PoolId(f"ovsnet-local|{it}"), "ovsnet-local", it) for it in (WEB.ipv4, WEB.ipv6, DB.ipv4) if it]
FOUR = POOLS[0].id
SERVICE, TARGET = "10.20.0.9:3322", "192.0.2.7:2211"


class World:
    """One host whose reconciler agrees or refuses."""

    def __init__(self, *networks: Network, pools: Sequence[Pool] = POOLS, held: Sequence[Allocation] = ()) -> None:
        start = state(*(networks or (NAT,)), endpoint(1))
        allocations = {it.key: it for it in held}
        start = replace(start, pools={it.id: it for it in pools}, allocations=allocations)
        self.committer = Committer(MemoryStore(LOCAL, start))
        self.refusal: ApplyError | None = None
        self.imports = Imports(self.committer, self, lambda: 1.0, deadline=1.0)

    @property
    def state(self) -> State:
        return self.committer.snapshot()

    def listed(self) -> list[str]:
        return [
            f"{it.network} {it.address} {it.port} {it.protocol} {it.target_address} {it.target_port}"
            for it in all_imports(self.state)
        ]

    def reserved(self) -> list[str]:
        return sorted(str(it.address) for it in self.state.allocations.values() if it.held and it.holder == IMPORTED)

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        if self.refusal is not None:
            raise self.refusal

    def reachable(self) -> bool:
        return True


async def test_an_address_of_the_network_leads_there_and_no_container_gets_it() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    await world.imports.put("[fd00:20::9]:53/udp", "[2001:db8::7]:53", "web")
    assert world.listed() == ["web 10.20.0.9 3322 tcp 192.0.2.7 2211", "web fd00:20::9 53 udp 2001:db8::7 53"]
    assert world.reserved() == ["10.20.0.9", "fd00:20::9"]
    assert [it.device for it in detours(world.state)] == ["ovgwa", "ovgwa"]
    addresses = Addresses(world.committer, lambda: 2.0, nothing_else, Settings())
    with pytest.raises(Conflict, match="held by an imported service, see 'ovsnet imports'; choose another --ip"):
        await addresses.request_address(AddressRequest(FOUR, ip_address("10.20.0.9")))


async def test_said_again_it_leads_elsewhere_and_the_address_stays() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    made, before = await world.imports.put(SERVICE, "192.0.2.8:22", "")
    assert before is not None
    assert (before.leads_to, made.leads_to) == ("192.0.2.7:2211", "192.0.2.8:22")
    assert world.listed() == ["web 10.20.0.9 3322 tcp 192.0.2.8 22"]
    assert world.reserved() == ["10.20.0.9"]


async def test_the_address_is_free_with_its_last_service() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    await world.imports.put("10.20.0.9:53/udp", TARGET, "")
    await world.imports.drop(SERVICE, "web")
    assert world.reserved() == ["10.20.0.9"]
    await world.imports.drop("10.20.0.9:53/udp", "")
    assert (world.listed(), world.reserved()) == ([], [])
    assert [it.released_at for it in world.state.allocations.values()] == [1.0], "it rests, as containers remember it"
    with pytest.raises(NotFound, match=r"no service is imported at 10\.20\.0\.9 port 3322; imported are: none"):
        await world.imports.drop(SERVICE, "")


async def test_an_address_that_aux_address_keeps_is_good_and_stays_kept() -> None:
    aux = Allocation(FOUR, ip_address("10.20.0.9"), AllocationKind.RESERVED)
    world = World(held=[aux])
    await world.imports.put(SERVICE, TARGET, "")
    await world.imports.drop(SERVICE, "")
    assert list(world.state.allocations.values()) == [aux]


async def test_what_the_host_refuses_is_put_back() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    before = (world.state.imports, world.reserved())
    world.refusal = ApplyError("firewall of gateways", "no")
    for service in (SERVICE, "10.20.0.10:22"):
        with pytest.raises(ApplyError):
            await world.imports.put(service, "192.0.2.8:22", "")
    assert (world.state.imports, world.reserved()) == before


@pytest.mark.parametrize(
    ("world", "service", "words"),
    [
        (World(WEB), SERVICE, "network web has egress=docker.*-o egress=nat or -o egress=routed"),
        (World(replace(NAT, shared=SharedId(NAT.id))), SERVICE, "one of all hosts of the cluster.*-o mode=bridge"),
        (World(pools=()), SERVICE, "not given by ovsnet.*--ipam-driver ovsnet"),
        (World(), "10.99.0.9:22", "not an address of a network of ovsnet"),
        (World(), "10.20.0.0:22", "network address of subnet"),
        (World(), "192.0.2.7:2211", "not an address of a network"),
    ],
)
async def test_where_no_service_can_be_it_says_what_to_do(world: World, service: str, words: str) -> None:
    before = world.state
    with pytest.raises(BadRequest, match=words):
        await world.imports.put(service, TARGET, "")
    assert world.state == before


async def test_an_address_that_somebody_has_is_refused_with_his_name() -> None:
    starting = Allocation(FOUR, ip_address("10.20.0.7"), AllocationKind.ENDPOINT)
    world = World(held=[starting])
    for address, words in (
        ("10.20.0.1", "is the gateway of network web"),
        ("10.20.0.2", "is held by container c1"),
        ("10.20.0.7", "a container that is just starting or stopping"),
    ):
        with pytest.raises(Conflict, match=words):
            await world.imports.put(f"{address}:22", TARGET, "")
    with pytest.raises(BadRequest, match="is not in network db"):
        await World(NAT, replace(DB, options=NAT.options)).imports.put(SERVICE, TARGET, "db")


async def test_no_service_leads_to_itself_or_to_another_of_its_network() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    for service, target in (("10.20.0.8:22", "10.20.0.9:22"), ("10.20.0.8:22", "10.20.0.8:23")):
        with pytest.raises(BadRequest, match="which is an imported service itself"):
            await world.imports.put(service, target, "")


async def test_it_goes_with_its_network() -> None:
    world = World()
    await world.imports.put(SERVICE, TARGET, "")
    assert {it.value for it in network_removal(world.state, NAT.id)} >= {*world.state.imports.values()}
