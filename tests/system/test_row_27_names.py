"""Row 27: a container and a network are the same by every name people call them."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import clean, left_as, traces


@pytest.mark.row(27)
@pytest.mark.fault("name-and-id-differ")
def test_attached_by_name_and_detached_by_the_beginning_of_its_id(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.27.0.0/24")
    c1 = host.start_container("c1")
    container, network = c1.inspect()["Id"], host.docker("network", "inspect", "web").json()[0]["Id"]
    before = traces(host)

    host.docker("network", "connect", "web", "c1")
    port = networks.port_of(c1, "web")
    host.docker("network", "disconnect", network[:8], container[:8])
    assert port not in traces(host).ports
    left_as(host, before)

    host.docker("network", "connect", network[:8], container[:8])
    port = networks.port_of(c1, "web")
    assert port != ""
    host.docker("network", "disconnect", "web", "c1")
    left_as(host, before)


@pytest.mark.row(27)
def test_a_network_is_inspected_by_name_by_id_and_by_the_beginning_of_its_id(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.27.0.0/24")
    networks.create(host, "db", "10.28.0.0/24")
    network = host.docker("network", "inspect", "web").json()[0]["Id"]
    wait_until(lambda: "web" in host.ovsnet("network", "ls").stdout, 5, "the network's name")

    by_name, by_id, by_prefix = (
        host.ovsnet("network", "inspect", "--json", it).json() for it in ("web", network, network[:6])
    )

    assert by_name["network"]["id"] == network
    assert by_name == by_id == by_prefix
    assert host.ovsnet("network", "inspect", "nothing", check=False).returncode != 0


@pytest.mark.row(27)
def test_a_container_is_listed_by_name_by_the_beginning_of_its_id_and_by_its_compose_service(
    host: NamespaceHost,
) -> None:
    networks.create(host, "web", "10.27.0.0/24")
    service = ("--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=basket")
    shop = host.start_container("shop_basket_1", *service, network="web")
    host.start_container("other", network="web")
    port = networks.port_of(shop, "web")

    def listed(name: str) -> list[str]:
        return [it["port"] for it in host.ovsnet("ps", "--json", name).json()]

    wait_until(lambda: listed("shop_basket_1") == [port], 5, "the container by its name")
    assert listed(shop.inspect()["Id"]) == listed(shop.inspect()["Id"][:6]) == listed("basket") == [port]
    key = "external_ids:ovsnet-compose-service=basket"
    assert host.ovs_vsctl("--bare", "--columns=name", "find", "port", key).stdout.split() == [port]
    unknown = host.ovsnet("ps", "nobody", check=False)
    assert unknown.returncode != 0
    assert "nobody" in unknown.stderr
    clean(host)
