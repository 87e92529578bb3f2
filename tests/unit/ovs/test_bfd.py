"""What BFD says of a way, in the words of Open vSwitch 3.1."""

import pytest

from ovsnet.model.paths import Path, PathState
from ovsnet.ovs.bfd import continued, read_path

QUIET = {"diagnostic": "No Diagnostic", "flap_count": "0", "forwarding": "false", "state": "down"}
UP = {**QUIET, "flap_count": "1", "forwarding": "true", "state": "up", "remote_state": "up"}
EXPIRED = "Control Detection Time Expired"
LOST = {**UP, "flap_count": "2", "state": "down", "diagnostic": EXPIRED, "forwarding": "false"}


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ({}, Path()),
        (QUIET, Path()),
        (UP, Path(PathState.UP)),
        ({**UP, "flap_count": "3", "diagnostic": EXPIRED}, Path(PathState.UP)),
        (LOST, Path(PathState.DOWN, EXPIRED)),
        ({**LOST, "state": "init"}, Path(PathState.DOWN, EXPIRED)),
    ],
    ids=["not begun", "never heard", "up", "up again", "lost", "about to come back"],
)
def test_a_way_is_down_only_if_it_was_up(status: dict[str, str], path: Path) -> None:
    assert read_path(status) == path


def test_since_when_is_when_the_state_was_seen_first() -> None:
    first = continued(None, Path(PathState.UP), 1.0)
    down = continued(first, Path(PathState.DOWN, EXPIRED), 5.0)
    still = continued(down, Path(PathState.DOWN, "Neighbor Signaled Session Down"), 9.0)
    assert (first.since, down.since, still.since) == (1.0, 5.0, 5.0)
    assert still.diagnostic == "Neighbor Signaled Session Down"
