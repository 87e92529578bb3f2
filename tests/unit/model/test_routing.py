"""The words for routes and rules, and back."""

import pytest

from ovsnet.model.errors import BadRequest
from ovsnet.model.routing import parse_route, parse_rule, route_words, rule_words

pytestmark = pytest.mark.row(32)


@pytest.mark.parametrize(
    "text",
    ["10.9.0.0/16", "10.9.0.0/16@192.0.2.1", "10.9.0.0/16@192.0.2.1 table 100", "fd00::/8", "::/0@fe80::1 table 7"],
)
def test_a_route_is_read_and_told_alike(text: str) -> None:
    assert route_words(parse_route(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from 10.1.0.0/24 table 100", "from 10.1.0.0/24 table 100"),
        ("table 100", "from all table 100"),
        ("from all to 10.2.0.5 lookup main", "from all to 10.2.0.5/32 table 254"),
        ("from ::/0 fwmark 1 table 100", "from ::/0 fwmark 0x1 table 100"),
        ("fwmark 0x10/0xff table 7 pref 20", "from all fwmark 0x10/0xff table 7 priority 20"),
        ("iif eth1 to fd00::/8 table 100", "from ::/0 to fd00::/8 iif eth1 table 100"),
    ],
)
def test_a_rule_is_read_as_ip_rule_reads_it(text: str, told: str) -> None:
    assert rule_words(parse_rule(text)) == told
    assert parse_rule(told) == parse_rule(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "say by which table"),
        ("from 10.1.0.0/24", "say by which table"),
        ("from 10.1.0.1/24 table 1", "has host bits set"),
        ("from 10.1.0.0/24 to fd00::/8 table 1", "different families"),
        ("from 10.1.0.0/24 table", "'table' has no value"),
        ("from 10.1.0.0/24 oif eth1 table 1", "'oif' is not known; known are: from, to, iif"),
        ("from all from all table 1", "from is given twice"),
        ("table 255", "the kernel's own"),
        ("table mine", "'mine' is not a number"),
        ("table 1 priority 32766", "a priority is from 1 to 32765"),
        ("fwmark 0 table 1", "the mark 0"),
        ("iif a/b table 1", "cannot be an interface's name"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_rule(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.9.0.0/16 via 192.0.2.1", "write it like 10.9.0.0/16@192.0.2.1"),
        ("10.9.0.0/16 table", "write it like"),
        ("default@192.0.2.1", "given with the address"),
        ("10.9.0.0/16 table 0", "a table is a number"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_route(text)
    assert says in str(refused.value)
