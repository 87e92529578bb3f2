"""Row 14: options of one endpoint."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed
from tests.system import networks
from tests.system.traces import clean, left_as, traces

REFUSED = {
    "vlam=20": ("'vlam'", "known are: vlan"),
    "vlan=4095": ("vlan='4095'", "1 to 4094"),
    "vlan=0": ("vlan='0'", "1 to 4094"),
    "vlan=red": ("vlan='red'", "1 to 4094"),
    "rate=fast": ("rate='fast'", "like 100mbit"),
}


def connect(host: NamespaceHost, network: str, name: str, option: str, *, check: bool = True) -> Completed:
    return host.docker("network", "connect", "--driver-opt", option, network, name, check=check)


@pytest.mark.row(14, 15)
def test_the_vlan_of_an_endpoint_is_shown_by_the_switch_and_separates(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    networks.create(host, "office", "10.50.0.0/24", "-o", "vlan=42")
    plain, other = networks.start(host, "plain", "other", network="web")
    red1, red2, blue = networks.start(host, "red1", "red2", "blue", network="office")

    connect(host, "web", "red1", "vlan=20")
    connect(host, "web", "red2", "vlan=20")
    connect(host, "web", "blue", "vlan=30")
    connect(host, "office", "plain", "vlan=43")

    members = (plain, red1, red2, blue)
    assert [networks.tag_of(it, "web") for it in members] == ["[]", "20", "20", "30"]
    assert [networks.tag_of(it, "office") for it in members] == ["43", "42", "42", "42"]
    assert red2.pings(red1.address("web"))
    assert plain.pings(other.address("web"))
    assert red1.pings(blue.address("office"))
    for stranger, address in ((blue, red1.address("web")), (plain, red1.address("web"))):
        assert not stranger.pings(address)
    assert not red1.pings(other.address("web"))
    assert not plain.pings(red1.address("office"))
    clean(host)


@pytest.mark.row(14)
def test_an_option_that_cannot_be_is_refused_by_name_and_leaves_nothing(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    c1 = host.start_container("c1")
    before, inside = traces(host), networks.interfaces(c1)

    refused = {option: connect(host, "web", "c1", option, check=False) for option in REFUSED}

    assert not any(it.ok for it in refused.values())
    said = {option: it.stderr for option, it in refused.items()}
    silent = {option: text for option, text in said.items() if not all(it in text for it in REFUSED[option])}
    assert silent == {}
    assert networks.interfaces(c1) == inside
    left_as(host, before)
