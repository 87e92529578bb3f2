"""Who tries too many tokens waits; who does not, never does."""

import pytest

from ovsnet.cluster.join_gate import LIMIT, SOURCES, WINDOW, FailedJoins, origin


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> FailedJoins:
    return FailedJoins(clock)


def fail(gate: FailedJoins, source: str, times: int) -> None:
    for _ in range(times):
        gate.failed(source)


def test_a_few_failures_cost_nothing(gate: FailedJoins) -> None:
    fail(gate, "10.0.0.9", LIMIT - 1)
    assert gate.wait("10.0.0.9") == 0


def test_many_failures_cost_the_rest_of_the_window(gate: FailedJoins, clock: Clock) -> None:
    fail(gate, "10.0.0.9", LIMIT)
    clock.now += 20
    assert gate.wait("10.0.0.9") == WINDOW - 20


def test_after_the_window_one_may_try_again(gate: FailedJoins, clock: Clock) -> None:
    fail(gate, "10.0.0.9", LIMIT)
    clock.now += WINDOW
    assert gate.wait("10.0.0.9") == 0


def test_the_window_slides(gate: FailedJoins, clock: Clock) -> None:
    """The oldest failure counts: an attempt becomes free when that one is a window old, and not before."""
    gate.failed("10.0.0.9")
    clock.now += 50
    fail(gate, "10.0.0.9", LIMIT - 1)
    assert gate.wait("10.0.0.9") == WINDOW - 50
    clock.now += WINDOW - 50
    gate.failed("10.0.0.9")
    assert gate.wait("10.0.0.9") == 50


def test_others_do_not_wait(gate: FailedJoins) -> None:
    fail(gate, "10.0.0.9", LIMIT)
    assert gate.wait("10.0.0.8") == 0


@pytest.mark.parametrize(
    ("source", "counted"),
    [("10.0.0.9", "10.0.0.9"), ("fd00::1:2:3:4", "fd00::/64"), ("fe80::1%eth0", "fe80::/64")],
)
def test_a_host_has_one_ipv4_address_and_a_whole_ipv6_subnet(source: str, counted: str) -> None:
    assert origin(source) == counted


def test_memory_is_bounded_and_the_latest_are_remembered(gate: FailedJoins) -> None:
    fail(gate, "10.0.0.1", LIMIT)
    for number in range(SOURCES - 1):
        gate.failed(f"10.1.{number // 256}.{number % 256}")
    assert gate.wait("10.0.0.1") > 0
    gate.failed("10.2.0.0")
    assert gate.wait("10.0.0.1") == 0
