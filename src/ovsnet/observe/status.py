"""What is well and what is not, in sentences. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ovsnet.model.errors import ApplyError
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.state import State
from ovsnet.observe.attachments import without_bridge
from ovsnet.observe.cluster import ClusterFacts, ClusterStatus, problems_of, warnings_of
from ovsnet.observe.cluster import status_of as cluster_status
from ovsnet.observe.drift import DriftItem, counted
from ovsnet.observe.leases import PoolUsage, usage
from ovsnet.plan import names
from ovsnet.reconcile.phases import Kind

SHOWN = 10
"""So many refused resources are named; the others are counted."""
SWITCHED = (Kind.BRIDGES, Kind.PORTS, Kind.FLOWS)
"""Refusals of these whole kinds say nothing new while Open vSwitch does not answer."""
DATAPATHS = {Datapath.KERNEL: "kernel", Datapath.USERSPACE: "userspace"}


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What the agent knows of itself and of its neighbours. `uptime` and `last_round` are seconds.

    `ready` is true once the first round was made after the start. `last_round` is how long the last one took,
    None before it. `engine_reason` and `store_reason` say why the neighbour does not answer. `warnings` are of labels
    that ask for what cannot be attached.
    """

    version: str
    pid: int
    uptime: float
    bridge: str
    ready: bool = False
    last_round: float | None = None
    store_available: bool = False
    store_path: str = ""
    store_reason: str = ""
    engine_reachable: bool = False
    engine_version: str = ""
    engine_reason: str = ""
    warnings: tuple[str, ...] = ()


class SwitchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Open vSwitch. `tso`: segmentation offload in the userspace datapath; `bridge` is the name of ours."""

    available: bool
    version: str
    datapath: str
    tso: bool
    bridge: str


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The database of the desired state."""

    available: bool
    path: str


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The Docker engine."""

    reachable: bool
    version: str


class DriftSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many resources are not as wanted, in all and by kind; `known` is false when it could not be looked
    at.
    """

    known: bool
    total: int = 0
    kinds: dict[str, int] = {}


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one host's agent.

    `ready`: Docker's requests are served. `healthy`: there are no `problems`. `warnings` are worth knowing
    and break nothing. `uptime` and `last_round` are seconds.
    """

    version: str
    pid: int
    uptime: float
    ready: bool
    healthy: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    switch: SwitchStatus
    store: StoreStatus
    engine: EngineStatus
    networks: int
    endpoints: int
    pools: tuple[PoolUsage, ...]
    drift: DriftSummary
    cluster: ClusterStatus
    last_round: float | None = None


def status_of(
    agent: AgentFacts,
    state: State,
    switch: SwitchFacts,
    failures: Sequence[ApplyError],
    drift: Sequence[DriftItem] | None,
    cluster: ClusterFacts | None = None,
) -> Status:
    """Everything at once; `drift` is None when it could not be looked at, `cluster` on a host that is in none."""
    shared = cluster or ClusterFacts()
    problems = (*_problems(agent, state, switch, failures, drift), *problems_of(shared))
    pools = usage(state)
    return Status(
        version=agent.version,
        pid=agent.pid,
        uptime=agent.uptime,
        ready=agent.ready,
        healthy=not problems,
        problems=problems,
        warnings=(*_warnings(agent, pools), *warnings_of(shared)),
        switch=_switch(switch, agent.bridge),
        store=StoreStatus(available=agent.store_available, path=agent.store_path),
        engine=EngineStatus(reachable=agent.engine_reachable, version=agent.engine_version),
        networks=len(state.networks),
        endpoints=sum(it.plugged for it in state.endpoints.values()),
        pools=pools,
        drift=_drift(drift),
        cluster=cluster_status(shared),
        last_round=agent.last_round,
    )


def _switch(switch: SwitchFacts, bridge: str) -> SwitchStatus:
    return SwitchStatus(
        available=switch.available,
        version=switch.version,
        datapath=DATAPATHS[switch.datapath],
        tso=switch.tso,
        bridge=bridge,
    )


def _drift(drift: Sequence[DriftItem] | None) -> DriftSummary:
    if drift is None:
        return DriftSummary(known=False)
    return DriftSummary(known=True, total=len(drift), kinds=counted(drift))


def _problems(
    agent: AgentFacts,
    state: State,
    switch: SwitchFacts,
    failures: Sequence[ApplyError],
    drift: Sequence[DriftItem] | None,
) -> Iterator[str]:
    if not agent.ready:
        yield "The agent is starting and has not seen the whole host yet; wait: 'ovsnet status --wait 30'."
    if not switch.available:
        yield (
            f"Open vSwitch does not answer{_because(switch.reason)}; new containers fail, running ones keep "
            "their connections while ovs-vswitchd lives. "
            "Start it (Debian: systemctl start openvswitch-switch)."
        )
    if not agent.store_available:
        yield (
            f"The store {agent.store_path} takes no changes{_because(agent.store_reason)}; Docker's requests "
            "fail until it answers. 'ovsnet doctor' looks for the cause."
        )
    yield from _refused([it for it in failures if switch.available or it.resource not in SWITCHED], _titles(state))
    for it in without_bridge(state, switch):
        yield (
            f"Interface {it.title} is not in force: there is no bridge {it.bridge} any more; make it again, or take "
            "the interface away with 'ovsnet detach'."
        )
    if drift:
        yield f"{_amount(drift)} not as wanted; the agent repairs this. 'ovsnet check' names each."


def _warnings(agent: AgentFacts, pools: Sequence[PoolUsage]) -> Iterator[str]:
    if not agent.engine_reachable:
        yield (
            f"The Docker engine does not answer{_because(agent.engine_reason)}; names of containers may be "
            "missing and what it forgot is not collected until it does."
        )
    for it in pools:
        if it.full:
            of = f" of network {', '.join(it.networks)}" if it.networks else ""
            yield f"Pool {it.subnet}{of} is full: {it.used} addresses held, {it.resting} resting."
    yield from agent.warnings


def _titles(state: State) -> Mapping[str, str]:
    """Whose ports those of attachments are, in words."""
    ports = {names.port_of_attachment(it, state): f" (interface {it.title})" for it in state.attachments.values()}
    return ports | {names.inside(port): title for port, title in ports.items()}


def _refused(failures: Sequence[ApplyError], titles: Mapping[str, str]) -> Iterator[str]:
    for it in failures[:SHOWN]:
        whose = titles.get(it.resource, "")
        when = "when something changes" if it.lasting else "until it succeeds"
        yield f"Not in place: {it.resource}{whose}: {it.reason}. It is tried again {when}."
    if len(failures) > SHOWN:
        yield f"{len(failures) - SHOWN} more resources are not in place; 'ovsnet check' names each."


def _amount(drift: Sequence[DriftItem]) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(counted(drift).items()))
    return f"1 resource ({counts}) is" if len(drift) == 1 else f"{len(drift)} resources ({counts}) are"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
