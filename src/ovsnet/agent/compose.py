"""How the pure parts are bound to this host's settings: planning and compiling, as the reconciler calls them."""

from collections.abc import Mapping

from ovsnet.model.host import HostFacts, HostPlan
from ovsnet.model.state import State
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.flow import Resource
from ovsnet.plan import names
from ovsnet.plan.host import plan_host
from ovsnet.reconcile.converge import Compile, Plan


def planner(bridge: str, instance: str) -> Plan:
    """plan_host for our bridge."""

    def plan(state: State, facts: HostFacts) -> HostPlan:
        return plan_host(state, facts, bridge=bridge, instance=instance)

    return plan


def compiler() -> Compile:
    """compile_flows with the names planning gives to ports."""

    def compile_for_host(state: State, facts: HostFacts) -> Mapping[str, Resource]:
        return compile_flows(state, facts, names)

    return compile_for_host
