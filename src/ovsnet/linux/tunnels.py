"""Applier: the kernel's vxlan devices, one for each network that reaches other hosts through the kernel."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import TunnelPlan


class TunnelApplier:
    """Owns the vxlan devices with our mark, in the network namespace where it was opened."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever `have` changes by somebody else's doing."""

    def have(self) -> Mapping[str, TunnelPlan]:
        """Our devices by name, as the kernel told last."""
        return {}

    async def resync(self) -> None:
        """Read all devices afresh; Unavailable when the kernel does not list them."""

    async def apply(self, delta: Delta[TunnelPlan]) -> Sequence[ApplyError]:
        """Write what differs. Returns what was refused."""
        return [ApplyError(name, "kernel vxlan devices are not made yet") for name in {**delta.add, **delta.change}]
