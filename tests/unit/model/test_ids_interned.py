"""Equal addresses as one object."""

from ipaddress import ip_address

from ovsnet.model.ids import interned


def test_equal_addresses_are_one_object_and_others_are_not() -> None:
    first = interned(ip_address("10.0.0.1"))
    assert interned(ip_address("10.0.0.1")) is first
    assert interned(ip_address("10.0.0.2")) == ip_address("10.0.0.2")
