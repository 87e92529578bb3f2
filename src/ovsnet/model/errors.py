"""The whole error tree, by whose fault it is.

    OvsnetError
    ├── BadRequest      the caller asked for something that cannot be
    │   └── NotFound    the caller named something that does not exist
    ├── Conflict        the request is fine, the present state forbids it
    │   └── Stale       somebody committed first: take a new snapshot and decide again
    ├── ApplyError      the host refused a change; names the resource and the reason
    └── Unavailable     a neighbour (Open vSwitch, the store, the engine, the agent) does not answer

Every message is shown to a person, often by `docker run`: it says what, which, why, and what to do next.
"""


class OvsnetError(Exception):
    """Anything we can explain to the user."""


class BadRequest(OvsnetError):
    """The caller asked for something that cannot be; asking again will not help."""


class NotFound(BadRequest):
    """The caller named a network, endpoint, pool or port that does not exist."""


class Conflict(OvsnetError):
    """The request is well formed and the present state forbids it; the message names who is in the way."""


class Stale(Conflict):
    """The snapshot a decision was made on is outdated; decide again on a new one."""


class ApplyError(OvsnetError):
    """The host refused one change.

    `resource` is the key of the refused resource (a port name, a flow key …), `reason` the host's own words.
    `lasting`: it will be refused again until somebody else changes something.
    """

    def __init__(self, resource: str, reason: str, *, lasting: bool = False) -> None:
        super().__init__(f"{resource}: {reason}")
        self.lasting = lasting
        self.resource = resource
        self.reason = reason


class Unavailable(OvsnetError):
    """A neighbour does not answer; the same request may succeed later. `remedy` is what a person can do about it."""

    def __init__(self, neighbour: str, reason: str, *, remedy: str = "") -> None:
        super().__init__(f"{neighbour} is not available: {reason}{'; ' if remedy else ''}{remedy}")
        self.neighbour = neighbour
        self.reason = reason
        self.remedy = remedy


_HTTP_STATUS: tuple[tuple[type[OvsnetError], int], ...] = (
    (NotFound, 404),
    (BadRequest, 400),
    (Conflict, 409),
    (Unavailable, 503),
)
"""First match counts: a NotFound is a BadRequest, too."""


def http_status(error: OvsnetError) -> int:
    """With which status an error is told over HTTP, on the API's socket and between members (RFC 9110 15)."""
    return next((status for kind, status in _HTTP_STATUS if isinstance(error, kind)), 500)
