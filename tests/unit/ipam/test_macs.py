"""Which MAC comes next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.ipam.macs import PER_PREFIX, mac_prefix, next_mac
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import Mac, parse_mac
from ovsnet.model.state import Counters


def test_the_first_mac_takes_the_fresh_prefix() -> None:
    mac, counters = next_mac(Counters(), "0a:1b:2c")
    assert mac == "0a:1b:2c:00:00:00"
    assert counters == Counters(mac_prefix="0a:1b:2c", mac_next=1)


def test_later_macs_count_on_under_the_old_prefix() -> None:
    mac, counters = next_mac(Counters(mac_prefix="0a:1b:2c", mac_next=0x0102FF), "fe:fe:fe")
    assert mac == "0a:1b:2c:01:02:ff"
    assert counters == Counters(mac_prefix="0a:1b:2c", mac_next=0x010300)


def test_other_counters_are_kept() -> None:
    _, counters = next_mac(Counters(ula_prefix="fd00::/48"), "0a:1b:2c")
    assert counters.ula_prefix == "fd00::/48"


def test_macs_that_users_chose_are_passed_over() -> None:
    mac, counters = next_mac(Counters(), "0a:1b:2c", in_use={Mac("0a:1b:2c:00:00:00")})
    assert mac == "0a:1b:2c:00:00:01"
    assert counters.mac_next == 2


def test_a_used_up_prefix_is_replaced() -> None:
    mac, counters = next_mac(Counters(mac_prefix="0a:1b:2c", mac_next=PER_PREFIX), "0e:00:01")
    assert (mac, counters.mac_next) == ("0e:00:01:00:00:00", 1)


@pytest.mark.parametrize("prefix", ["0a:1b:2c", "02:ff:ff", "fe:ff:ff"])
def test_a_fresh_prefix_that_is_the_used_up_one_is_not_used_again(prefix: str) -> None:
    mac, _ = next_mac(Counters(mac_prefix=prefix, mac_next=PER_PREFIX), prefix)
    assert not mac.startswith(prefix)
    assert parse_mac(mac) == mac


def test_the_last_mac_of_a_prefix_is_used() -> None:
    mac, _ = next_mac(Counters(mac_prefix="0a:1b:2c", mac_next=PER_PREFIX - 1), "0e:00:01")
    assert mac == "0a:1b:2c:ff:ff:ff"


@given(st.binary(min_size=3, max_size=3))
def test_every_prefix_makes_locally_administered_unicast_macs(random: bytes) -> None:
    mac, _ = next_mac(Counters(), mac_prefix(random))
    first = int(parse_mac(mac)[:2], 16)
    assert first & 0b11 == 0b10


@given(st.integers(0, PER_PREFIX), st.integers(1, 40))
def test_no_mac_comes_twice(start: int, count: int) -> None:
    counters, seen = Counters(mac_prefix="0a:1b:2c", mac_next=start), []
    for _ in range(count):
        mac, counters = next_mac(counters, "0e:00:01")
        seen.append(mac)
    assert len(set(seen)) == count


def test_a_prefix_needs_three_octets() -> None:
    with pytest.raises(BadRequest, match="3 octets"):
        mac_prefix(b"\x02")
