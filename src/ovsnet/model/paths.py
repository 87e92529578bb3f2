"""Whether packets get to another host through its tunnel. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class PathState(StrEnum):
    """What is known of the way to another host."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """Nothing was ever heard on it: the other host does not answer yet, or has nothing that would."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way to another host's tunnel end. `diagnostic` is what whoever watches it says of it.

    `since`: seconds since the epoch when it was first seen to be so; None where not known.
    """

    state: PathState = PathState.UNKNOWN
    diagnostic: str = ""
    since: float | None = None
