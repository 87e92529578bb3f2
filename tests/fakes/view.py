"""An agent that is nothing but values: the API is served from it in tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from ovsnet.api.attach_orders import (
    Attached,
    AttachOrder,
    DetachOrder,
    RouteOrder,
    RuleOrder,
    SetOrder,
    Waited,
    WaitOrder,
)
from ovsnet.api.orders import (
    Done,
    EnableOrder,
    ForgetOrder,
    InitOrder,
    Invitation,
    JoinOrder,
    LeaveOrder,
    RecordOrder,
    RecoverOrder,
    RestoreOrder,
    TokenOrder,
)
from ovsnet.api.service_orders import ImportOrder, PublishOrder, UnimportOrder, UnpublishOrder
from ovsnet.api.uplink_orders import UplinkOrder, UplinkRemoval
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import ApplyError, OvsnetError
from ovsnet.model.host import Datapath, PortPlan, SwitchFacts
from ovsnet.model.ids import NOT_SHARED, Ofport, SharedId
from ovsnet.model.state import State
from ovsnet.observe.cluster import ClusterFacts
from ovsnet.observe.drift import DriftItem
from ovsnet.observe.nearby import Around
from ovsnet.observe.status import AgentFacts
from ovsnet.plan.names import port_name
from ovsnet.plan.ports import plan_port
from ovsnet.settings import Settings

WELL = AgentFacts(
    version="0.1.0",
    pid=4711,
    uptime=93784.0,
    bridge="br-ovsnet",
    ready=True,
    last_round=0.012,
    store_available=True,
    store_path="/var/lib/ovsnet/ovsnet.db",
    engine_reachable=True,
    engine_version="28.5.2",
)


def ports_of(state: State) -> dict[str, PortPlan]:
    """The ports the switch holds when everything in `state` is in force."""
    plugged = [it for it in state.endpoints.values() if it.plugged]
    plans = (plan_port(it, state.networks[it.network_id], "ovsnet") for it in plugged)
    return {it.name: it for it in plans}


def switch_of(state: State) -> SwitchFacts:
    """A switch that has taken up every port of `state`, numbered from 1."""
    return SwitchFacts(
        available=True,
        version="3.5.0",
        datapath=Datapath.USERSPACE,
        ofports={name: Ofport(number) for number, name in enumerate(sorted(ports_of(state)), 1)},
    )


@dataclass
class Orders:
    """Takes every order, or refuses it with `refusal`; remembers what was asked."""

    refusal: OvsnetError | None = None
    given: list[object] = field(default_factory=list)

    async def init(self, order: InitOrder) -> Invitation:
        return self._invitation(order)

    async def join(self, order: JoinOrder) -> Done:
        return self._done(order)

    async def token(self, order: TokenOrder) -> Invitation:
        return self._invitation(order)

    async def leave(self, order: LeaveOrder) -> Done:
        return self._done(order)

    async def forget(self, order: ForgetOrder) -> Done:
        return self._done(order)

    async def backup(self) -> bytes:
        self._done("backup")
        return b"OVSDB JSON"

    async def restore(self, order: RestoreOrder) -> Done:
        return self._done(order)

    async def recover(self, order: RecoverOrder) -> Done:
        return self._done(order)

    async def add_record(self, order: RecordOrder) -> Done:
        return self._done(order)

    async def drop_record(self, order: RecordOrder) -> Done:
        return self._done(order)

    async def enable_names(self, order: EnableOrder) -> Done:
        return self._done(order)

    async def remove_network(self, name: str) -> Done:
        return self._done(name)

    async def expose_network(self, name: str) -> Done:
        return self._done(name)

    async def hide_network(self, name: str) -> Done:
        return self._done(name)

    async def add_uplink(self, order: UplinkOrder) -> Done:
        return self._done(order)

    async def remove_uplink(self, order: UplinkRemoval) -> Done:
        return self._done(order)

    async def attach(self, order: AttachOrder) -> Attached:
        said = self._done(order).message
        return Attached(
            id="ab" * 32,
            target=order.target,
            ifname=order.ifname or "eth1",
            port="ovabababababa",
            mac="0a:00:00:00:00:01",
            addresses=(),
            running=True,
            message=said,
        )

    async def detach(self, order: DetachOrder) -> Done:
        return self._done(order)

    async def change(self, order: SetOrder) -> Done:
        return self._done(order)

    async def add_route(self, order: RouteOrder) -> Done:
        return self._done(order)

    async def drop_route(self, order: RouteOrder) -> Done:
        return self._done(order)

    async def add_rule(self, order: RuleOrder) -> Done:
        return self._done(order)

    async def drop_rule(self, order: RuleOrder) -> Done:
        return self._done(order)

    async def wait(self, order: WaitOrder) -> Waited:
        self._done(order)
        return Waited(up=order.timeout > 0, reason="" if order.timeout > 0 else "it is not up")

    async def publish(self, order: PublishOrder) -> Done:
        return self._done(order)

    async def unpublish(self, order: UnpublishOrder) -> Done:
        return self._done(order)

    async def import_service(self, order: ImportOrder) -> Done:
        return self._done(order)

    async def unimport(self, order: UnimportOrder) -> Done:
        return self._done(order)

    def _done(self, order: object) -> Done:
        self.given.append(order)
        if self.refusal is not None:
            raise self.refusal
        return Done(message="done.")

    def _invitation(self, order: object) -> Invitation:
        self._done(order)
        return Invitation(token="a word", command="ovsnet cluster join 10.0.0.1 --token …", expires_at=1.0)  # noqa: S106


@dataclass
class Values:
    """An AgentView of what it is given. `looks` are the answers to successive calls of `drift`; the last one
    stays.
    """

    settings: Settings
    wanted: State = field(default_factory=State)
    facts: AgentFacts = WELL
    seen: SwitchFacts | None = None
    there: Mapping[str, PortPlan] | None = None
    refused: Sequence[ApplyError] = ()
    looks: Sequence[Sequence[DriftItem] | Exception] = ((),)
    log: Sequence[str] = ("agent started", "ready")
    shared: ClusterFacts = field(default_factory=ClusterFacts)
    nearby: Around = field(default_factory=lambda: Around((), ()))
    orders: Orders = field(default_factory=Orders)

    def __post_init__(self) -> None:
        self.asked = 0
        self._answers = chain(self.looks, repeat(self.looks[-1]))

    def agent(self) -> AgentFacts:
        self.asked += 1
        return self.facts

    def cluster(self) -> ClusterFacts:
        return self.shared

    async def counted_cluster(self) -> ClusterFacts:
        return self.shared

    async def published(self, network: SharedId = NOT_SHARED) -> Cluster:
        there = self.shared.cluster.endpoints.items()
        return replace(self.shared.cluster, endpoints={k: it for k, it in there if network in (NOT_SHARED, it.network)})

    async def around(self) -> Around:
        return self.nearby

    def state(self) -> State:
        return self.wanted

    def switch(self) -> SwitchFacts:
        return self.seen or switch_of(self.wanted)

    def ports(self) -> Mapping[str, PortPlan]:
        return ports_of(self.wanted) if self.there is None else self.there

    def failures(self) -> Sequence[ApplyError]:
        return self.refused

    async def drift(self) -> Sequence[DriftItem]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recent_log(self) -> Sequence[str]:
        return self.log


def port_of(state: State, container: str) -> str:
    """The port of the container with this name."""
    endpoint = next(it for it in state.endpoints.values() if it.container_name == container)
    return port_name(endpoint, state.networks[endpoint.network_id])
