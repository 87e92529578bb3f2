"""What Open vSwitch finds out of the ways it watches by BFD (RFC 5880). Pure."""

from collections.abc import Mapping
from dataclasses import replace

from ovsnet.model.paths import Path, PathState

SILENT = "No Diagnostic"


def read_path(status: Mapping[str, str]) -> Path:
    """`Interface.bfd_status` as a path.

    A session that has never been up says nothing: the other host may not watch the way, and then answers nothing.
    """
    said = status.get("diagnostic", "")
    diagnostic = "" if said == SILENT else said
    if status.get("state") == "up":
        return Path(PathState.UP)
    if status.get("flap_count", "0") == "0":
        return Path(PathState.UNKNOWN, diagnostic)
    return Path(PathState.DOWN, diagnostic)


def continued(before: Path | None, now: Path, at: float) -> Path:
    """With the time since when it has this state, seen at `at`; a word more about it is no new state."""
    since = before.since if before is not None and before.state is now.state else at
    return replace(now, since=since)
