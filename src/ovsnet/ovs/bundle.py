"""One batch of flows and groups as the text of an atomic bundle, and who is meant by the switch's
complaint. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from ovsnet.model.errors import ApplyError
from ovsnet.ovs.canonical import COMPLAINT
from ovsnet.ovs.flowtext import parse_flow_mod, parse_group
from ovsnet.pipeline.cookies import OWNER, OWNER_MASK
from ovsnet.pipeline.flow import Flow, Resource

MAX_REFUSED = 20
"""Refusals after which a batch is given up: each one costs a round trip, and so many mean a fault of ours."""
_SWITCH_ERROR = re.compile(r"^Error (\S+) for: (.*)\n?(.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What to write and what to take away, by resource key."""

    additions: Mapping[str, Resource]
    removals: Mapping[str, Resource]

    def __bool__(self) -> bool:
        """True when there is something to do."""
        return bool(self.additions or self.removals)

    @property
    def text(self) -> str:
        """One line per change, in the order of `lines`."""
        return "\n".join(line for _, line in self.lines()) + "\n"

    def lines(self) -> list[tuple[str, str]]:
        """Resource key and text of every change.

        Groups come before flows that use them and go after flows that used them. Flows go before flows
        come, so that a place that changes its key but not its meaning stays filled.
        """
        return list(
            chain(
                ((key, f"group add_or_mod {it.text}") for key, it in self.additions.items() if not _is_flow(it)),
                ((key, f"flow delete_strict {_ours_at(it)}") for key, it in self.removals.items() if _is_flow(it)),
                ((key, f"flow add {it.text}") for key, it in self.additions.items() if _is_flow(it)),
                ((key, f"group delete {it.key}") for key, it in self.removals.items() if not _is_flow(it)),
            )
        )

    def without(self, keys: Iterable[str]) -> "Bundle":
        """The bundle that is left when these are given up."""
        gone = frozenset(keys)
        return Bundle(
            {key: it for key, it in self.additions.items() if key not in gone},
            {key: it for key, it in self.removals.items() if key not in gone},
        )

    def refused(self, reason: str) -> list[ApplyError]:
        """Every change, refused for one reason."""
        return [ApplyError(key, reason) for key, _ in self.lines()]

    def at_fault(self, complaint: str) -> ApplyError | None:
        """The change that ovs-ofctl could not read, or the group that the switch refused, if the
        complaint names one.
        """
        if found := COMPLAINT.search(complaint):
            return ApplyError(self.lines()[int(found[1]) - 1][0], found[2])
        if found := _SWITCH_ERROR.search(complaint):
            group = parse_group(found[3])
            key = next((key for key, it in self.additions.items() if group and it.key == group.key), None)
            return ApplyError(key, found[1]) if key else None
        return None

    def at_fault_by_form(self, complaint: str, forms: Mapping[str, Resource]) -> ApplyError | None:
        """The flow that the switch refused, found by its canonical form."""
        found = _SWITCH_ERROR.search(complaint)
        refused = parse_flow_mod(found[2]) if found else None
        key = next((key for key, form in forms.items() if form == refused), None)
        return ApplyError(key, found[1]) if found and key else None


def _is_flow(resource: Resource) -> bool:
    return isinstance(resource, Flow)


def _ours_at(flow: Resource) -> str:
    """A strict match on the place that spares a flow there which is not ours."""
    return f"cookie={OWNER:#x}/{OWNER_MASK:#x},{flow.key}"
