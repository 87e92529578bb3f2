"""The rows of hosts that are not there make the state that such hosts would make."""

import pytest

from ovsnet.bench import crowd
from ovsnet.bench.crowd import NETWORKS, Size
from ovsnet.bench.rows import inserted
from ovsnet.bench.scale import sizes_of
from ovsnet.model.cluster import Cluster, Lease, RemoteEndpoint
from ovsnet.model.errors import BadRequest
from ovsnet.store.changes import assembled
from ovsnet.store.interface import Value
from ovsnet.store.shared import SHARED

SMALL, LARGE = Size(10, 100), Size(50, 1000)


def cluster(*sizes: Size) -> Cluster:
    before = Size(0, 0)
    values: list[Value] = []
    for size in sizes:
        values += crowd.growth(before, size)
        before = size
    return assembled(SHARED, values)


def test_a_cluster_has_so_many_hosts_and_endpoints_and_grows_to_the_next_size() -> None:
    grown = cluster(SMALL, LARGE)
    assert (len(grown.members), len(grown.endpoints), len(grown.leases)) == (50, 1000, 1000)
    assert len(grown.networks) == NETWORKS
    assert cluster(SMALL).endpoints.keys() < grown.endpoints.keys()


def test_every_endpoint_is_on_another_host_with_the_address_that_is_leased_to_it() -> None:
    there = cluster(LARGE)
    assert not {it.host for it in there.endpoints.values()} & {crowd.host(crowd.SERVER), crowd.host(crowd.MEASURED)}
    assert {crowd.lease(it) for it in there.endpoints.values()} == set(there.leases.values())
    for it in there.endpoints.values():
        subnet = there.networks[it.network].ipv4
        assert subnet is not None
        assert it.ipv4 in subnet
        assert it.host in there.members


def test_what_comes_and_goes_meets_nobody() -> None:
    there = cluster(LARGE)
    fleeting: list[RemoteEndpoint] = [crowd.watched(number, LARGE.hosts) for number in range(100)]
    assert not {it.mac for it in fleeting} & {it.mac for it in there.endpoints.values()}
    assert not {crowd.lease(it).key for it in fleeting} & there.leases.keys()
    assert len({it.id for it in fleeting}) == 100


@pytest.mark.parametrize("networks", [1, NETWORKS])
def test_a_host_needs_to_know_of_its_own_networks(networks: int) -> None:
    own = {crowd.network(number).id for number in range(networks)}
    there = cluster(LARGE).endpoints.values()
    assert crowd.known(LARGE, networks) == sum(it.network in own for it in there)


def test_rows_are_written_as_json_has_them() -> None:
    it = crowd.endpoint(7, 10)
    operation = inserted(it)
    assert operation["table"] == "Endpoint"
    row = operation["row"]
    assert isinstance(row, dict)
    assert row["ipv4"] == ["set", [str(it.ipv4)]]
    assert row["network"][0] == row["member"][0] == "uuid"
    assert isinstance(crowd.lease(it), Lease)


def test_sizes_are_read_as_a_person_writes_them() -> None:
    assert list(sizes_of("10,50", "100,1000")) == [SMALL, LARGE]


@pytest.mark.parametrize(("hosts", "endpoints"), [("10", "1,2"), ("2", "5"), ("50,10", "1,2"), ("x", "1"), ("5", "0")])
def test_sizes_that_make_no_sense_are_refused(hosts: str, endpoints: str) -> None:
    with pytest.raises(BadRequest, match="--hosts"):
        sizes_of(hosts, endpoints)
