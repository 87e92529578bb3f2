"""FakeHost: a fake applier for every kind of resource, and a switch that gives every port a number."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovsnet.model.host import Datapath, HostFacts, HostPlan, PortPlan, SwitchFacts, TunnelPlan
from ovsnet.model.ids import Ofport
from ovsnet.model.network import PortKind
from ovsnet.model.state import State
from ovsnet.pipeline.flow import Flow, Resource
from ovsnet.plan.host import plan_host
from ovsnet.reconcile.converge import Converger
from ovsnet.reconcile.phases import Kind
from tests.fakes.appliers import FakeApplier, Refusals


class FakeHost:
    """Remembers what was written to it; `state` is what is wanted, and `tunnels`, each with a port of its name."""

    def __init__(self, state: State, refuse: int = 0) -> None:
        self.state = state
        self.tunnels: Mapping[str, TunnelPlan] = {}
        self.refusals = Refusals(refuse)
        self.appliers: Mapping[Kind, FakeApplier[Any]] = {kind: FakeApplier(self.refusals) for kind in Kind}

    def facts(self) -> HostFacts:
        """Ports are numbered in the order of their names."""
        names = sorted(self.appliers[Kind.PORTS].resources)
        ofports = {name: Ofport(number) for number, name in enumerate(names, start=1)}
        return HostFacts(SwitchFacts(available=True, datapath=Datapath.KERNEL, ofports=ofports))

    def converger(self) -> Converger:
        """A fresh one: what a restarted agent would have."""
        return Converger(self.appliers, lambda: self.state, self.facts, self._plan, _one_flow_a_port)

    def contents(self) -> dict[Kind, dict[str, Any]]:
        """Everything on the host."""
        return {kind: dict(applier.resources) for kind, applier in self.appliers.items()}

    def _plan(self, state: State, facts: HostFacts) -> HostPlan:
        host = plan_host(state, facts, bridge="br-test", instance="test")
        ports = {name: PortPlan(name, PortKind.VETH) for name in self.tunnels}
        return replace(host, tunnels=self.tunnels, ports={**host.ports, **ports})


def _one_flow_a_port(state: State, facts: HostFacts) -> Mapping[str, Resource]:
    del state
    flows = (Flow(0, 1, f"in_port={number}", "drop", 1) for number in facts.switch.ofports.values())
    return {flow.key: flow for flow in flows}
