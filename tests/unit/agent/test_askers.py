"""Who asks the name service under an alias."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from ovsnet.agent.askers import Askers
from ovsnet.model.host import PortPlan
from ovsnet.model.ids import Ofport
from ovsnet.model.network import PortKind
from ovsnet.ovs.rows import SeenPort
from ovsnet.pipeline.dns import alias_of
from ovsnet.plan.names import ENDPOINT_KEY

pytestmark = pytest.mark.row(78)


class Ports:
    """The switch's ports, which may be numbered anew."""

    def __init__(self, **numbers: int) -> None:
        self.ours: Mapping[str, SeenPort] = {}
        self.number(**numbers)

    def number(self, **numbers: int) -> None:
        """These ports, each of an endpoint of its name."""
        self.ours = {
            name: SeenPort(PortPlan(name, PortKind.VETH, external_ids={ENDPOINT_KEY: f"e-{name}"}), Ofport(number))
            for name, number in numbers.items()
        }


def test_an_alias_leads_to_the_endpoint_on_its_port() -> None:
    askers = Askers(Ports(a=1, b=65279))
    assert askers.disguised(alias_of(Ofport(1))) == "e-a"
    assert askers.disguised(ip_address("240.79.254.255")) == "e-b"


@pytest.mark.parametrize("address", ["240.79.0.9", "10.20.0.2", "240.80.0.1", "fd00::1", "169.254.83.80"])
def test_no_alias_and_no_port_is_nobody(address: str) -> None:
    assert Askers(Ports(a=1)).disguised(ip_address(address)) is None


def test_a_port_with_another_number_is_found_by_that() -> None:
    ports = Ports(a=1, b=2)
    askers = Askers(ports)
    assert askers.disguised(alias_of(Ofport(1))) == "e-a"
    ports.number(a=2, c=1)
    assert askers.disguised(alias_of(Ofport(1))) == "e-c"
    assert askers.disguised(alias_of(Ofport(2))) == "e-a"


def test_a_port_of_no_endpoint_asks_nothing() -> None:
    ports = Ports()
    ports.ours = {"ovdns": SeenPort(PortPlan("ovdns", PortKind.VETH), Ofport(4))}
    assert Askers(ports).disguised(alias_of(Ofport(4))) is None


@pytest.mark.row(17)
def test_a_port_of_another_bridge_with_the_same_number_is_somebody_else() -> None:
    ports = Ports(a=1)
    attached = PortPlan("attached", PortKind.VETH, bridge="lan")
    ports.ours = {**ports.ours, "attached": SeenPort(attached, Ofport(1))}
    assert Askers(ports).disguised(alias_of(Ofport(1))) == "e-a"
