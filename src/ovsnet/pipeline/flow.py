"""Flow and Group: their identity and their text. Pure.

The text is what `ovs-ofctl` reads (ovs-fields(7), ovs-actions(7)); numbers, never port names.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """One OpenFlow flow. Two flows with the same `key` cannot both be on a switch (OpenFlow 1.4 6.4)."""

    table: int
    priority: int
    match: str
    actions: str
    cookie: int

    @property
    def key(self) -> str:
        """Table, priority and match: the resource key."""
        return f"table={self.table},priority={self.priority}" + (f",{self.match}" if self.match else "")

    @property
    def text(self) -> str:
        """The line that adds it."""
        return f"cookie={self.cookie:#x},{self.key},actions={self.actions}"


@dataclass(frozen=True, slots=True)
class Group:
    """One OpenFlow group of type `all`: every bucket gets a copy. `buckets` are action lists, sorted."""

    id: int
    buckets: tuple[str, ...]

    @property
    def key(self) -> str:
        """The resource key."""
        return f"group_id={self.id}"

    @property
    def text(self) -> str:
        """The text that adds it."""
        return f"{self.key},type=all" + "".join(f",bucket=actions={actions}" for actions in self.buckets)


Resource = Flow | Group
"""Flows and groups travel together: one bundle, one applier, keyed by their `key`."""
