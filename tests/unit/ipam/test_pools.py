"""Which subnet a pool gets."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.ipam.pools import check_subnet, choose_subnet, overlapping, parse_blocks
from ovsnet.model.addressing import Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpNetwork, pool_id

BLOCK = IPv4Network("10.192.0.0/10")
ULA = IPv6Network("fd12:3456:789a::/48")


@st.composite
def networks_near(draw: st.DrawFn, block: IpNetwork) -> IpNetwork:
    """Networks in, around and of the size of the block."""
    prefix = draw(st.integers(max(0, block.prefixlen - 3), block.max_prefixlen))
    offset = draw(st.integers(-(block.num_addresses // 4), block.num_addresses * 5 // 4))
    number = max(0, min((1 << block.max_prefixlen) - 1, int(block.network_address) + offset))
    kind = IPv4Network if block.version == 4 else IPv6Network
    return kind((number, prefix), strict=False)


def test_first_pool_is_the_first_subnet_of_the_block() -> None:
    assert choose_subnet([BLOCK], 20, []) == IPv4Network("10.192.0.0/20")


def test_taken_networks_are_stepped_over_whatever_their_size() -> None:
    taken = [ip_network("10.192.0.0/18"), ip_network("10.192.64.7/32"), ip_network("10.192.80.0/24")]
    assert choose_subnet([BLOCK], 20, taken) == IPv4Network("10.192.96.0/20")


def test_a_gap_of_just_one_subnet_is_used() -> None:
    taken = [ip_network("10.192.0.0/20"), ip_network("10.192.32.0/20")]
    assert choose_subnet([BLOCK], 20, taken) == IPv4Network("10.192.16.0/20")


@pytest.mark.parametrize("address", ["10.192.0.0/32", "10.192.15.255/32"])
def test_one_taken_address_is_enough(address: str) -> None:
    assert choose_subnet([BLOCK], 20, [ip_network(address)]) == IPv4Network("10.192.16.0/20")


def test_a_default_route_takes_nothing() -> None:
    taken = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert choose_subnet([BLOCK], 20, taken) == IPv4Network("10.192.0.0/20")


def test_a_route_over_the_whole_block_leaves_the_next_block() -> None:
    blocks = [BLOCK, IPv4Network("172.30.0.0/16")]
    assert choose_subnet(blocks, 20, [ip_network("10.0.0.0/8")]) == IPv4Network("172.30.0.0/20")


def test_a_block_smaller_than_the_prefix_is_given_whole() -> None:
    assert choose_subnet([IPv4Network("192.168.7.0/24")], 20, []) == IPv4Network("192.168.7.0/24")


def test_running_out_says_where_was_looked_and_what_to_do() -> None:
    with pytest.raises(Conflict, match=r"no free /24 .*192\.168\.0\.0/24.*--subnet.*pools_v4"):
        choose_subnet([IPv4Network("192.168.0.0/24")], 24, [ip_network("192.168.0.128/32")])


def test_ipv6_pools_are_cut_from_the_ula_prefix_without_walking_through_it() -> None:
    taken = list(ULA.subnets(new_prefix=49))[:1]
    assert choose_subnet([ULA], 64, taken) == IPv6Network("fd12:3456:789a:8000::/64")
    with pytest.raises(Conflict) as refused:
        choose_subnet([ULA], 120, [ULA])
    assert "pools_v4" not in str(refused.value)


@given(st.lists(networks_near(BLOCK), max_size=30), st.integers(10, 30))
def test_a_chosen_ipv4_subnet_overlaps_nothing(taken: list[IpNetwork], prefix: int) -> None:
    _judge(BLOCK, taken, prefix)


@given(st.lists(networks_near(ULA), max_size=30), st.integers(48, 128))
def test_a_chosen_ipv6_subnet_overlaps_nothing(taken: list[IpNetwork], prefix: int) -> None:
    _judge(ULA, taken, prefix)


def _judge(block: IpNetwork, taken: list[IpNetwork], prefix: int) -> None:
    obstacles = [it for it in taken if it.prefixlen > 0 and it.version == block.version]
    try:
        subnet = choose_subnet([block], prefix, taken)
    except Conflict:
        # Only right when no subnet is free: enough to look at those just before and after each obstacle.
        assert not any(_free(it, obstacles) for it in _candidates(block, obstacles, prefix))
        return
    assert subnet.prefixlen == prefix
    assert subnet.network_address in block
    assert _free(subnet, obstacles)


def _free(subnet: IpNetwork, obstacles: list[IpNetwork]) -> bool:
    return not any(subnet.overlaps(it) for it in obstacles)


def _candidates(block: IpNetwork, obstacles: list[IpNetwork], prefix: int) -> list[IpNetwork]:
    size = 1 << (block.max_prefixlen - prefix)
    edges = [int(block.network_address)]
    edges += [int(it.network_address) - size for it in obstacles]
    edges += [int(it.broadcast_address) + 1 for it in obstacles]
    inside = [it for it in edges if int(block.network_address) <= it <= int(block.broadcast_address)]
    kind = IPv4Network if block.version == 4 else IPv6Network
    return [kind((it, prefix), strict=False) for it in inside]


def test_blocks_are_read_from_the_setting() -> None:
    assert parse_blocks(["10.192.0.0/10", "172.30.0.0/16"]) == (BLOCK, IPv4Network("172.30.0.0/16"))


@pytest.mark.parametrize("text", ["10.192.0.1/10", "fd00::/8", "nonsense", ""])
def test_a_block_that_is_no_ipv4_network_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match=f"pools_v4: {text!r}"):
        parse_blocks([text])


@pytest.mark.parametrize(
    ("subnet", "sub_range"),
    [
        ("10.20.0.0/16", "10.20.4.0/24"),
        ("10.20.0.0/24", "10.20.0.0/24"),
        ("10.20.0.0/31", None),
        ("10.20.0.0/32", None),
        ("fd00:20::/64", "fd00:20::1:0/112"),
        ("100.64.0.0/10", None),
    ],
)
def test_subnets_containers_can_live_in(subnet: str, sub_range: str | None) -> None:
    check_subnet(ip_network(subnet), ip_network(sub_range) if sub_range else None)


@pytest.mark.parametrize(
    ("subnet", "sub_range", "words"),
    [
        ("0.0.0.0/0", None, "too large"),
        ("10.0.0.0/7", None, "too large"),
        ("fc00::/7", None, "too large"),
        ("224.1.0.0/24", None, "multicast"),
        ("127.0.0.0/8", None, "loopback"),
        ("fe80::/64", None, "link-local"),
        ("ff05::/64", None, "multicast"),
        ("10.20.0.0/24", "10.20.1.0/24", "--ip-range"),
        ("10.20.0.0/24", "10.20.0.0/23", "--ip-range"),
        ("10.20.0.0/24", "fd00:20::/120", "--ip-range"),
    ],
)
def test_subnets_that_make_no_sense_are_refused(subnet: str, sub_range: str | None, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        check_subnet(ip_network(subnet), ip_network(sub_range) if sub_range else None)


def test_overlap_counts_within_one_address_space_and_family_only() -> None:
    pools = [_pool("local", "10.20.0.0/16"), _pool("global", "10.30.0.0/16"), _pool("local", "fd00:20::/64")]
    assert overlapping(ip_network("10.20.4.0/24"), "local", pools) == pools[0]
    assert overlapping(ip_network("10.0.0.0/8"), "local", pools) == pools[0]
    assert overlapping(ip_network("10.30.0.0/16"), "local", pools) is None
    assert overlapping(ip_network("10.21.0.0/16"), "local", pools) is None
    assert overlapping(ip_network("fd00:20::/80"), "local", pools) == pools[2]


def _pool(space: str, subnet: str) -> Pool:
    return Pool(id=pool_id(space, ip_network(subnet), None), space=space, subnet=ip_network(subnet))
