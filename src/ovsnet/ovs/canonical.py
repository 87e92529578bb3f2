"""Lets Open vSwitch itself say how it writes flows and groups: `ovs-ofctl parse-flows`, which needs no
switch.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ovsnet.ovs.flowtext import parse_parsed_flows
from ovsnet.ovs.programs import Outcome
from ovsnet.pipeline.cookies import OWNER
from ovsnet.pipeline.flow import Flow, Group, Resource

MAX_UNREADABLE = 20
"""Unreadable lines after which the rest is given up: each one costs a process, and so many mean a fault
of ours.
"""
COMPLAINT = re.compile(r"^ovs-ofctl: \S+:(\d+): (.*)", re.MULTILINE)
"""How ovs-ofctl says which line of its input it cannot read."""


async def canonical(
    resources: Mapping[str, Resource], parse: Callable[[str], Awaitable[Outcome]]
) -> dict[str, Resource]:
    """The canonical form of each; what cannot be read is left out. `parse` runs parse-flows on a text."""
    texts = {text for it in resources.values() for text in _lines(it)}
    forms = await _parsed(sorted(texts), parse)
    return {key: form for key, it in resources.items() if (form := _form(it, forms)) is not None}


def _lines(resource: Resource) -> Iterable[str]:
    return (resource.text,) if isinstance(resource, Flow) else map(_as_flow, resource.buckets)


def _as_flow(bucket: str) -> str:
    """There is no parse-groups: a bucket's actions are read as those of a flow."""
    return f"cookie={OWNER:#x},actions={bucket}"


async def _parsed(lines: list[str], parse: Callable[[str], Awaitable[Outcome]]) -> dict[str, Flow]:
    for _ in range(MAX_UNREADABLE):
        if not lines:
            break
        outcome = await parse("\n".join(lines) + "\n")
        if outcome.code == 0:
            return dict(zip(lines, parse_parsed_flows(outcome.output), strict=True))
        found = COMPLAINT.search(outcome.complaint)
        if found is None:
            break
        del lines[int(found[1]) - 1]
    return {}


def _form(resource: Resource, forms: Mapping[str, Flow]) -> Resource | None:
    if isinstance(resource, Flow):
        return forms.get(resource.text)
    # Some actions need a match beside them; the text of such a bucket has to be canonical as it is.
    parsed = ((it, forms.get(_as_flow(it))) for it in resource.buckets)
    return Group(resource.id, tuple(it if form is None else form.actions for it, form in parsed))
