"""FakeApplier: holds resources as values and refuses the n-th change. Passes tests/contract/test_appliers.py."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Unavailable

V = TypeVar("V")


class Refusals:
    """Counts the changes of a whole host and refuses one of them."""

    def __init__(self, refuse: int = 0) -> None:
        self.seen = 0
        self.lasting = False
        """Whether what is refused would be refused again."""
        self._refuse = refuse

    def refused(self) -> bool:
        """True for the change whose turn it is."""
        self.seen += 1
        return self.seen == self._refuse


class FakeApplier(Generic[V]):
    """A host's resources of one kind, as a dict."""

    def __init__(self, refusals: Refusals | None = None) -> None:
        self.resources: dict[str, V] = {}
        self.answers = True
        self.takes = 0.0
        """Seconds one `apply` takes."""
        self.resyncs = 0
        self._refusals = refusals or Refusals()

    def have(self) -> Mapping[str, V]:
        return dict(self.resources)

    async def resync(self) -> None:
        self.resyncs += 1
        self._check()

    async def apply(self, delta: Delta[V]) -> Sequence[ApplyError]:
        self._check()
        await asyncio.sleep(self.takes)
        refused = []
        for key, value in {**delta.add, **delta.change}.items():
            if self._refusals.refused():
                refused.append(ApplyError(key, "refused by the test", lasting=self._refusals.lasting))
            else:
                self.resources[key] = value
        for key in delta.remove:
            if self._refusals.refused():
                refused.append(ApplyError(key, "refused by the test", lasting=self._refusals.lasting))
            else:
                self.resources.pop(key, None)
        return refused

    def _check(self) -> None:
        if not self.answers:
            raise Unavailable("the fake host", "switched off by the test")
