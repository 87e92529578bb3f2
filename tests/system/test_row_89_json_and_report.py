"""Row 89: JSON of everything that is listed, and a bundle for bug reports that gives no secret away."""

import io
import tarfile
from collections.abc import Mapping

import pytest
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks

SECRET = "correct-horse-battery-staple"  # noqa: S105 - nobody's
MEMBERS = {
    "check.json", "cluster.json", "config.json", "doctor.json", "endpoints.json", "flows.txt", "groups.txt", "host.txt",
    "log.txt", "members.json",
    "ovsdb-bridge.json", "ovsdb-interface.json", "ovsdb-port.json", "rules-egress.nft", "rules-tunnels.nft",
    "state.json", "status.json", "version.json",
}  # fmt: skip


@pytest.mark.row(89)
def test_every_verb_that_shows_something_shows_the_same_as_json(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    (c1,) = networks.start(host, "c1", network="web")
    address = c1.address("web")

    (network,) = host.ovsnet("network", "ls", "--json").json()
    (interface,) = host.ovsnet("ps", "--json").json()
    leases = host.ovsnet("lease", "ls", "--json").json()

    assert (network["name"], network["subnets"]) == ("web", ["10.20.0.0/24"])
    assert (interface["network"], interface["mac"], interface["addresses"]) == ("web", c1.mac("web"), [f"{address}/24"])
    assert {it["address"]: it["kind"] for it in leases} == {"10.20.0.1": "gateway", address: "endpoint"}
    assert host.ovsnet("network", "inspect", "web", "--json").json()["endpoints"][0]["mac"] == c1.mac("web")
    assert host.ovsnet("check", "--json").json() == {"clean": True, "items": []}
    assert host.ovsnet("status", "--json").json()["healthy"]
    assert host.ovsnet("config", "--json").json()["bridge"] == "br-ovsnet"
    assert host.ovsnet("version", "--json").json()["agent"]["engine"] == host.versions.engine
    assert {it["level"] for it in host.ovsnet("doctor", "--json").json()} <= {"ok", "warning"}
    for table in (("network", "ls"), ("ps",), ("lease", "ls")):
        assert "web" in host.ovsnet(*table).stdout or address in host.ovsnet(*table).stdout


@pytest.fixture(scope="module")
def careless(module_host: NamespaceHost) -> NamespaceHost:
    """A host with secrets wherever people put them, some where we get to see them."""
    host = module_host
    networks.create(host, "web", "10.20.0.0/24", "-o", "egress=nat", "--label", f"password={SECRET}")
    options = ("-e", f"PASSWORD={SECRET}", "--label", f"password={SECRET}", "--hostname", "c1", "--dns-search", SECRET)
    command = ("sh", "-c", f": {SECRET}; sleep 1000000")
    host.start_container("c1", *options, network="web", command=command)
    host.docker("network", "create", "-d", "ovsnet", "-o", f"password={SECRET}", "refused", check=False)
    host.ovs_vsctl("set", "open_vswitch", ".", f"external_ids:password={SECRET}")
    host.ovs_vsctl("add-br", "br-theirs", "--", "set", "bridge", "br-theirs", f"external_ids:password={SECRET}")
    return host


def unpacked(host: Host, path: str) -> Mapping[str, bytes]:
    packed = bytes.fromhex(host.shell(f"od -An -v -tx1 {path}").stdout)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {it.name: archive.extractfile(it) for it in archive}
        return {name.removeprefix("ovsnet-report/"): file.read() for name, file in files.items() if file}


@pytest.mark.row(89)
def test_the_report_holds_what_a_maintainer_needs_and_no_secret(careless: NamespaceHost) -> None:
    host = careless
    host.ovsnet("report", "-o", "/tmp/report.tar.gz")
    files = unpacked(host, "/tmp/report.tar.gz")

    assert set(files) == MEMBERS
    assert [name for name, content in files.items() if SECRET.encode() in content] == []
    endpoint = host.docker("inspect", "-f", "{{.NetworkSettings.Networks.web.EndpointID}}", "c1").stdout.strip()
    for name in ("state.json", "endpoints.json", "ovsdb-port.json"):
        assert endpoint.encode() in files[name], name
    assert b"table=60" in files["flows.txt"]
    assert b"bucket" in files["groups.txt"]
    assert b"masquerade" in files["rules-egress.nft"]
    assert b"agent serves" in files["log.txt"]
    assert b"password" in files["state.json"]  # the label's key is there, so its value was left out, not lost


@pytest.mark.row(89)
def test_without_an_agent_the_report_holds_what_the_host_alone_tells(careless: NamespaceHost) -> None:
    host = careless
    host.agent.stop()

    host.ovsnet("report", "-o", "/tmp/report.tar.gz")
    files = unpacked(host, "/tmp/report.tar.gz")

    assert {"doctor.json", "flows.txt", "ovsdb-port.json", "agent.txt"} <= set(files)
    assert [name for name, content in files.items() if SECRET.encode() in content] == []
