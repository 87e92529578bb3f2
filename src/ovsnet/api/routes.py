"""What can be asked, and how it is answered. `ROUTES` is the one table: server and OpenAPI document are made
from it.
"""

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ovsnet.api.schema import (
    AttachmentInfo,
    CheckReport,
    ClusterStatus,
    DriftItem,
    EndpointInfo,
    GroupInfo,
    ImportInfo,
    Lease,
    MemberInfo,
    NameInfo,
    Nearby,
    NetworkDetails,
    NetworkInfo,
    PortInfo,
    Settings,
    Status,
    UplinkInfo,
    VersionInfo,
)
from ovsnet.api.views import AgentView
from ovsnet.model.errors import Unavailable
from ovsnet.model.network import find_network
from ovsnet.observe import (
    attachments,
    cluster,
    endpoints,
    groups,
    leases,
    names,
    nearby,
    networks,
    published,
    report,
    services,
    status,
    uplinks,
)

API_VERSION = "v1"
GZIP = "application/gzip"
LOOK_DEADLINE = 10.0
"""Seconds a full comparison with the host may take before the API says that it could not be made."""

Handler = Callable[[AgentView, Mapping[str, str]], Awaitable[Any]]
"""Gets the view and the variables of the path; its value becomes the body."""


@dataclass(frozen=True, slots=True)
class Route:
    """One GET route. `answer` is the type of the body; where it is bytes, `media` says of what kind."""

    path: str
    answer: Any
    handler: Handler
    summary: str
    refusals: tuple[int, ...] = ()
    """Status codes of the errors this route is expected to answer with."""
    media: str = "application/json"


async def _status(view: AgentView, _: Mapping[str, str]) -> Status:
    seen = await _drift_if_known(view)
    shared = await view.counted_cluster()
    return status.status_of(view.agent(), view.state(), view.switch(), view.failures(), seen, shared)


async def _networks(view: AgentView, _: Mapping[str, str]) -> tuple[NetworkInfo, ...]:
    return networks.all_networks(view.state())


async def _network(view: AgentView, path: Mapping[str, str]) -> NetworkDetails:
    state, shared = view.state(), view.cluster()
    there = shared.cluster
    part = find_network(state.networks, path["network"]).shared
    if part:
        with suppress(Unavailable):
            there = await view.published(part)
    return networks.inspect(state, path["network"], there, shared.me)


async def _endpoints(view: AgentView, _: Mapping[str, str]) -> tuple[EndpointInfo, ...]:
    return endpoints.on_switch(view.state(), view.switch(), view.ports(), view.failures())


async def _ports(view: AgentView, _: Mapping[str, str]) -> tuple[PortInfo, ...]:
    return published.all_ports(view.state())


async def _imports(view: AgentView, _: Mapping[str, str]) -> tuple[ImportInfo, ...]:
    return services.all_imports(view.state())


async def _attachments(view: AgentView, _: Mapping[str, str]) -> tuple[AttachmentInfo, ...]:
    return attachments.all_attachments(view.state())


async def _leases(view: AgentView, _: Mapping[str, str]) -> tuple[Lease, ...]:
    return leases.all_leases(view.state())


async def _cluster(view: AgentView, _: Mapping[str, str]) -> ClusterStatus:
    return cluster.status_of(await view.counted_cluster())


async def _members(view: AgentView, _: Mapping[str, str]) -> tuple[MemberInfo, ...]:
    return cluster.members_of(await view.counted_cluster())


async def _backup(view: AgentView, _: Mapping[str, str]) -> bytes:
    return await view.orders.backup()


async def _discover(view: AgentView, _: Mapping[str, str]) -> Nearby:
    return nearby.nearby_of(await view.around(), view.cluster())


async def _names(view: AgentView, _: Mapping[str, str]) -> tuple[NameInfo, ...]:
    return names.all_names(await view.published())


async def _groups(view: AgentView, _: Mapping[str, str]) -> tuple[GroupInfo, ...]:
    shared = view.cluster()
    return groups.all_groups(view.state(), shared.cluster, shared.me, shared.dead)


async def _uplinks(view: AgentView, _: Mapping[str, str]) -> tuple[UplinkInfo, ...]:
    return uplinks.all_uplinks(view.state())


async def _check(view: AgentView, _: Mapping[str, str]) -> CheckReport:
    items = await _drift(view)
    return CheckReport(clean=not items, items=items)


async def _config(view: AgentView, _: Mapping[str, str]) -> Settings:
    return view.settings


async def _version(view: AgentView, _: Mapping[str, str]) -> VersionInfo:
    agent = view.agent()
    return VersionInfo(
        version=agent.version,
        api=API_VERSION,
        python=platform.python_version(),
        kernel=os.uname().release,
        openvswitch=view.switch().version,
        engine=agent.engine_version,
    )


async def _report(view: AgentView, path: Mapping[str, str]) -> bytes:
    seen = await _drift_if_known(view)
    shared = await view.counted_cluster()
    answers: dict[str, Any] = {
        "status": await _status(view, path),
        "cluster": cluster.status_of(shared),
        "members": cluster.members_of(shared),
        "check": None if seen is None else CheckReport(clean=not seen, items=seen),
        "endpoints": await _endpoints(view, path),
        "config": view.settings,
        "version": await _version(view, path),
    }
    return await report.bundle(view.settings, report.agent_files(answers, view.state(), view.recent_log()))


async def _drift(view: AgentView) -> tuple[DriftItem, ...]:
    """What is not as wanted. Unavailable when the host cannot be looked at in time."""
    try:
        async with asyncio.timeout(LOOK_DEADLINE):
            return tuple(await view.drift())
    except TimeoutError:
        reason = f"it could not be compared within {LOOK_DEADLINE:g} s; see 'ovsnet doctor'"
        raise Unavailable("the host", reason) from None


async def _drift_if_known(view: AgentView) -> tuple[DriftItem, ...] | None:
    if not view.agent().ready:
        return None
    try:
        return await _drift(view)
    except Unavailable:
        return None


ROUTES = (
    Route("/v1/status", Status, _status, "What is well and what is not"),
    Route("/v1/networks", tuple[NetworkInfo, ...], _networks, "Every network"),
    Route(
        "/v1/networks/{network}",
        NetworkDetails,
        _network,
        "One network with its endpoints and labels, by id, name, or the beginning of an id",
        (404, 409),
    ),
    Route("/v1/endpoints", tuple[EndpointInfo, ...], _endpoints, "Every container interface on the switch"),
    Route("/v1/ports", tuple[PortInfo, ...], _ports, "Every port of this host that leads to a container"),
    Route("/v1/imports", tuple[ImportInfo, ...], _imports, "Every service of elsewhere that a network imports"),
    Route(
        "/v1/attachments",
        tuple[AttachmentInfo, ...],
        _attachments,
        "Every interface that was attached, also to targets that do not run",
    ),
    Route("/v1/leases", tuple[Lease, ...], _leases, "Every address that is held or rests after its release"),
    Route("/v1/cluster", ClusterStatus, _cluster, "The cluster this host is in"),
    Route("/v1/cluster/discover", Nearby, _discover, "Members that announce themselves on the LAN, unverified", (503,)),
    Route("/v1/cluster/members", tuple[MemberInfo, ...], _members, "Every host of the cluster"),
    Route(
        "/v1/cluster/backup",
        bytes,
        _backup,
        "A copy of the cluster's database, as a standalone OVSDB database",
        (409, 503),
        "application/octet-stream",
    ),
    Route("/v1/dns", tuple[NameInfo, ...], _names, "Every name on the networks of the cluster", (503,)),
    Route("/v1/multicast", tuple[GroupInfo, ...], _groups, "Every multicast group that a container listens to"),
    Route("/v1/uplinks", tuple[UplinkInfo, ...], _uplinks, "Every NIC of this host that is a port of a bridge"),
    Route("/v1/check", CheckReport, _check, "Read the host afresh and compare: want, is", (503,)),
    Route("/v1/config", Settings, _config, "The settings in force"),
    Route("/v1/version", VersionInfo, _version, "Versions of the agent and of its neighbours"),
    Route("/v1/report", bytes, _report, "A bundle for a bug report, without secrets: tar, gzip'ed", (), GZIP),
)
