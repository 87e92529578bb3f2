"""The rig as pytest fixtures, and the hosts' logs in the report of a test that fails.

rig           the session's rig, for tests that build their own hosts
bare_host     engine and switch, no agent; shared by the session
host          with a ready agent; shared by the session, tidied up after each test
module_host   with a ready agent; one for the tests of a module, not tidied up
fresh_host    with a ready agent; for one test, which may wreck it
kernel_host   as `host`, on the kernel datapath; half a minute for the first test
cluster       three hosts that are one cluster; shared by the session, tidied up after each test
own_cluster   three hosts that are one cluster; for the tests of a module, which may wreck it
"""

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest

from tests.rig.cluster import QUICK, Cluster
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import CommandFailed
from tests.rig.rig import Rig


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


@pytest.fixture(scope="session")
def bare_host(rig: Rig) -> NamespaceHost:
    return rig.host()


@pytest.fixture(scope="session")
def session_host(rig: Rig, versions: dict[str, str]) -> NamespaceHost:
    host = rig.host()
    _note(versions, host, "userspace (netdev)")
    return host


@pytest.fixture
def host(session_host: NamespaceHost) -> Iterator[NamespaceHost]:
    with_agent(session_host)
    yield session_host
    tidy_up(session_host)


@pytest.fixture(scope="module")
def module_host(rig: Rig) -> Iterator[NamespaceHost]:
    yield from _own_host(rig)


@pytest.fixture
def fresh_host(rig: Rig) -> Iterator[NamespaceHost]:
    yield from _own_host(rig)


@pytest.fixture(scope="session")
def session_kernel_host(rig: Rig, versions: dict[str, str]) -> KernelHost:
    host = rig.kernel_host()
    _note(versions, host, "kernel (system)")
    return host


@pytest.fixture
def kernel_host(session_kernel_host: KernelHost) -> Iterator[KernelHost]:
    with_agent(session_kernel_host)
    yield session_kernel_host
    tidy_up(session_kernel_host)


@pytest.fixture(scope="session")
def session_cluster(rig: Rig, versions: dict[str, str]) -> Cluster:
    cluster = Cluster.of(rig, 3)
    _note(versions, cluster.hosts[0], "userspace (netdev)")
    return cluster


@pytest.fixture
def cluster(session_cluster: Cluster) -> Iterator[Cluster]:
    for host in session_cluster.hosts:
        with_agent(host, *QUICK)
    session_cluster.settle()
    yield session_cluster
    for host in session_cluster.hosts:
        host.services("ovs", "docker", "start")
        with_agent(host, *QUICK)
    session_cluster.tidy_up()


@pytest.fixture(scope="module")
def own_cluster(rig: Rig) -> Iterator[Cluster]:
    cluster = Cluster.of(rig, 3)
    yield cluster
    cluster.down()


def _note(versions: dict[str, str], host: Host, datapath: str) -> None:
    """What this run was made on, for docs/status.md."""
    versions.update(
        {
            "Docker": host.versions.engine,
            "Open vSwitch": host.versions.ovs,
            "kernel": host.versions.kernel,
            "datapath": datapath,
        }
    )


def with_agent(host: Host, *options: str) -> None:
    """A ready agent on this host, whatever the last test did to it; one that runs keeps its options."""
    if host.agent.running:
        host.agent.wait_ready()
    else:
        host.agent.start(*options)


def tidy_up(host: Host) -> None:
    """No container and no network left: what remains of a test is a fault of the next one."""
    host.services("ovs", "docker", "start")
    with_agent(host)
    host.remove_containers()
    host.remove_networks()


def _own_host(rig: Rig) -> Iterator[NamespaceHost]:
    host = rig.host()
    try:
        with_agent(host)
        yield host
    finally:
        rig.discard(host)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for host in _hosts_of(item):
            report.sections.extend((f"{host.name}: {name}", text) for name, text in _logs_of(host).items())


def _logs_of(host: Host) -> Mapping[str, str]:
    """When a fixture fails on its way out, its host may be gone already."""
    try:
        return host.logs()
    except (OSError, CommandFailed) as error:
        return {"no logs": str(error)}


def _hosts_of(item: pytest.Item) -> list[Host]:
    """Every host a fixture gave to this test; all of the rig's if it has the rig itself."""
    given: list[object] = list(getattr(item, "funcargs", {}).values())
    hosts = [value for value in given if isinstance(value, Host)]
    hosts += [host for value in given if isinstance(value, Cluster) for host in value.hosts]
    for value in given:
        if isinstance(value, Rig):
            hosts.extend(host for host in value.hosts if host not in hosts)
    return hosts
