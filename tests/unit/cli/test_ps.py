"""Whom `ovsnet ps CONTAINER` means."""

import pytest

from ovsnet.api.schema import EndpointInfo
from ovsnet.cli.endpoints import of_container
from ovsnet.model.errors import NotFound


def interface(container: str, container_id: str, service: str = "") -> EndpointInfo:
    return EndpointInfo(
        container_id=container_id,
        container=container,
        service=service,
        network_id="",
        network="web",
        endpoint_id="",
        mac="",
        addresses=(),
        vlan=0,
        port="",
        ofport=1,
        in_force=True,
    )


BASKET_1 = interface("shop_basket_1", "ab" * 32, "basket")
BASKET_2 = interface("shop_basket_2", "ba" * 32, "basket")
NAMED_AS_AN_ID = interface("abab", "cd" * 32)
UNKNOWN = interface("", "")
LISTED = (BASKET_1, BASKET_2, NAMED_AS_AN_ID, UNKNOWN)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("shop_basket_1", (BASKET_1,)),
        ("basket", (BASKET_1, BASKET_2)),
        ("ba", (BASKET_2,)),
        ("ababa", (BASKET_1,)),
        ("abab", (NAMED_AS_AN_ID,)),
    ],
)
def test_a_container_is_called_by_name_then_service_then_the_beginning_of_its_id(
    wanted: str, meant: tuple[EndpointInfo, ...]
) -> None:
    assert of_container(wanted, LISTED) == meant


@pytest.mark.parametrize("wanted", ["nobody", "", "basket_1"])
def test_whom_nobody_is_called_is_not_found(wanted: str) -> None:
    with pytest.raises(NotFound, match=repr(wanted)):
        of_container(wanted, LISTED)
