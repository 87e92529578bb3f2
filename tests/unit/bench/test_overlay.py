"""What the hosts of `ovsnet bench overlay` are told."""

from pathlib import Path

import pytest

from ovsnet.bench import crowd
from ovsnet.bench.crew import Crew
from ovsnet.bench.overlay.bench import NOT_MEASURED, everything
from ovsnet.bench.overlay.ours import AUTOMATIC, NETWORK, endpoint, kinds, part
from ovsnet.bench.overlay.underlay import ADDRESSES, Ground
from ovsnet.bench.station import KERNEL, USERSPACE
from ovsnet.model.errors import BadRequest


def test_hosts_have_the_addresses_their_members_rows_say() -> None:
    assert tuple(str(crowd.vtep(number)) for number in (0, 1)) == ADDRESSES


def test_a_hosts_part_is_of_the_network_of_the_cluster() -> None:
    assert (part().shared, part().vni, part().options) == (NETWORK.id, NETWORK.vni, NETWORK.options)


def test_containers_differ_and_are_put_where_they_are_looked_for() -> None:
    crews = [Crew(Path("log"), namespace=f"/run/netns/{number}") for number in (0, 1)]
    one, two = (endpoint(number, it) for number, it in enumerate(crews))
    assert (one.sandbox, two.sandbox) == ("/run/netns/0", "/run/netns/1")
    assert one.network_id == two.network_id == part().id
    assert not {one.id, one.mac, one.ipv4} & {two.id, two.mac, two.ipv4}


@pytest.mark.parametrize("datapath", [KERNEL, USERSPACE])
def test_subjects_have_names_of_their_own_and_ours_comes_first(datapath: str) -> None:
    names = [it.name for it in everything(Ground(Path("/tmp")), datapath)] + [it.subject for it in NOT_MEASURED]
    assert names[0] == AUTOMATIC
    assert len(names) == len(set(names))


def test_an_unknown_datapath_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="--datapath moon"):
        kinds("moon")
