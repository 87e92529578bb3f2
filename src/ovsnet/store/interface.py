"""Store: the protocol of everything that can keep a state, and the vocabulary of changes.

Two stores pass one suite of tests (tests/contract/test_store.py): memory and OVSDB.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.attachment import Attachment
from ovsnet.model.bound import Bound
from ovsnet.model.cluster import (
    Beat,
    ClusterInfo,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    SharedNetwork,
    Token,
)
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.network import Network
from ovsnet.model.services import Export, Import
from ovsnet.model.spare import Spare
from ovsnet.model.state import Counters
from ovsnet.model.uplink import Uplink

OfThisHost = Network | Endpoint | Pool | Allocation | Attachment | Uplink | Bound | Spare | Export | Import
OfAllHosts = Member | SharedNetwork | Lease | RemoteEndpoint | Beat | Token | Record
Keyed = OfThisHost | OfAllHosts
Value = Keyed | Counters | ClusterInfo


@dataclass(frozen=True, slots=True)
class Put:
    """Make this value be there, new or in place of the one with the same key."""

    value: Value


@dataclass(frozen=True, slots=True)
class Drop:
    """Make this value not be there."""

    value: Keyed


Change = Put | Drop
S = TypeVar("S")


class Store(Protocol[S]):
    """Keeps one state. All methods are called on the event loop's thread."""

    def snapshot(self) -> S:
        """The state as it is known now; cheap, immutable."""

    async def commit(self, base: S, changes: Sequence[Change]) -> S:
        """Apply all changes or none, durably, and return the state that holds them.

        Its revision is newer than `base`'s, unless the changes changed nothing.

        Every value a change replaces or drops must still be what `base` says, and every value it adds must
        not exist, else nothing is done and Stale is raised; a snapshot taken after that is newer than `base`.
        Of several changes of one key the last counts. Dropping what is not there does nothing.

        Conflict when the changes break a rule between values even on `base`: VNIs are unique, what a value
        refers to exists. Their order within one commit does not matter. BadRequest for
        text that cannot be stored. Unavailable when the store does not answer within its deadline: the
        changes may then be in force or not, and the next snapshot tells.
        """

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of the state, by whomever, and when the store comes or goes."""

    @property
    def available(self) -> bool:
        """False while the store cannot take commits; `snapshot` then is the last state that was known."""
