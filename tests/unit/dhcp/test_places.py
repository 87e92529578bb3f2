"""What a client is started with."""

import pytest

from ovsnet.dhcp.places import Places, command, configuration, unit_of
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import Lessee

ID = EndpointId("5" * 64)
PLACES = Places("/run/ovsnet/dhcp", "/var/lib/ovsnet/dhcp")
WEB = Lessee(ID, "/run/docker/netns/abc", "eth1", (4,), "web")


def settings(lessee: Lessee) -> list[str]:
    return configuration(lessee, PLACES).splitlines()


@pytest.mark.parametrize(
    ("families", "there", "absent"),
    [
        ((4,), {"ipv4only"}, {"ia_na", "ipv6only"}),
        ((6,), {"ia_na", "ipv6only"}, {"ipv4only"}),
        ((4, 6), {"ia_na"}, {"ipv4only", "ipv6only"}),
    ],
)
def test_a_client_asks_for_the_families_that_are_wanted(
    families: tuple[int, ...], there: set[str], absent: set[str]
) -> None:
    said = set(settings(Lessee(ID, "/s", "eth1", families)))

    assert there <= said
    assert not absent & said


def test_servers_know_it_by_its_mac_and_name() -> None:
    assert {'clientid ""', "duid ll", "hostname web"} <= set(settings(WEB))


def test_without_a_name_none_is_sent() -> None:
    assert not any(it.startswith("hostname") for it in settings(Lessee(ID, "/s", "eth1")))


def test_the_hook_learns_where_to_write_and_whose_it_is() -> None:
    assert {
        "script /var/lib/ovsnet/dhcp/hook",
        f"env ovsnet_folder=/run/ovsnet/dhcp/{ID}",
        "env ovsnet_news=/run/ovsnet/dhcp/news",
        "env ovsnet_sandbox=/run/docker/netns/abc",
    } <= set(settings(WEB))


def test_it_runs_inside_and_configures_nothing() -> None:
    words = command(WEB, PLACES)

    assert words[:3] == ("nsenter", "--net=/run/docker/netns/abc", "--")
    assert {"dhcpcd", "--noconfigure", "--nobackground"} <= set(words)
    assert words[-1] == "eth1"


def test_its_unit_is_called_after_the_interface() -> None:
    assert unit_of(ID) == "ovsnet-dhcp-555555555555.service"
