"""What is well and what is not, in sentences."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import pool_id
from ovsnet.observe.drift import compare
from ovsnet.observe.status import AgentFacts, Status, status_of
from tests.fakes.view import WELL, switch_of
from tests.states import EMPTY, UNPLUGGED

SWITCH = switch_of(EMPTY)
DRIFT = compare("ports", {"a": "1", "b": "2"}, {})


def of(facts: AgentFacts = WELL, switch: SwitchFacts = SWITCH, failures: int = 0) -> Status:
    refused = [ApplyError(f"ov{it}", "no such device") for it in range(failures)]
    return status_of(facts, EMPTY, switch, refused, ())


def test_nothing_wrong_is_healthy() -> None:
    status = of()
    assert (status.ready, status.healthy, status.problems, status.warnings) == (True, True, (), ())


def test_only_plugged_endpoints_count() -> None:
    assert status_of(WELL, UNPLUGGED, SWITCH, (), ()).endpoints == 1


def test_a_starting_agent_says_so() -> None:
    (problem,) = of(replace(WELL, ready=False)).problems
    assert problem.startswith("The agent is starting")


def test_a_silent_switch_is_a_problem_with_reason_and_remedy() -> None:
    (problem,) = of(switch=SwitchFacts(reason="connection refused")).problems
    assert problem.startswith("Open vSwitch does not answer (connection refused);")
    assert "systemctl start openvswitch-switch" in problem


def test_a_silent_store_is_a_problem() -> None:
    (problem,) = of(replace(WELL, store_available=False, store_reason="no such file")).problems
    assert problem.startswith("The store /var/lib/ovsnet/ovsnet.db takes no changes (no such file);")


def test_a_silent_engine_is_a_warning_only() -> None:
    status = of(replace(WELL, engine_reachable=False))
    assert status.healthy
    assert status.warnings[0].startswith("The Docker engine does not answer;")


def test_what_the_host_refused_is_named() -> None:
    assert of(failures=1).problems == ("Not in place: ov0: no such device. It is tried again until it succeeds.",)


def test_a_silent_switch_is_told_once() -> None:
    refused = [ApplyError("ports", "the database is not available"), ApplyError("ov1", "no such device")]
    problems = status_of(WELL, EMPTY, SwitchFacts(reason="refused"), refused, None).problems
    assert [it.split()[0] for it in problems] == ["Open", "Not"]
    assert len(status_of(WELL, EMPTY, SWITCH, refused, None).problems) == 2


def test_many_refusals_are_counted() -> None:
    problems = of(failures=13).problems
    assert len(problems) == 11
    assert problems[-1].startswith("3 more resources are not in place")


def test_drift_is_a_problem_with_its_kinds() -> None:
    many = status_of(WELL, EMPTY, SWITCH, (), DRIFT)
    one = status_of(WELL, EMPTY, SWITCH, (), DRIFT[:1])
    assert many.problems[0].startswith("2 resources (2 ports) are not as wanted")
    assert one.problems[0].startswith("1 resource (1 ports) is not as wanted")
    assert (many.drift.total, many.drift.kinds) == (2, {"ports": 2})


def test_drift_that_could_not_be_looked_at_is_unknown() -> None:
    assert not status_of(WELL, EMPTY, SWITCH, (), None).drift.known


def test_a_full_pool_is_a_warning() -> None:
    pool = Pool(pool_id("local", ip_network("10.9.0.0/32"), None), "local", ip_network("10.9.0.0/32"))
    lease = Allocation(pool.id, ip_address("10.9.0.0"), AllocationKind.ENDPOINT)
    state = replace(EMPTY, pools={pool.id: pool}, allocations={lease.key: lease})
    assert status_of(WELL, state, SWITCH, (), ()).warnings == (
        "Pool 10.9.0.0/32 is full: 1 addresses held, 0 resting.",
    )
