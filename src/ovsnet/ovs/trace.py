"""Asks the switch what it would do with a packet: `ofproto/trace`."""

import re
from dataclasses import dataclass
from pathlib import Path

from ovsnet.model.errors import BadRequest
from ovsnet.ovs import programs
from ovsnet.ovs.version import control_socket

_STEP = re.compile(r"^ *(\d+)\. .*?(?:cookie (0x[0-9a-f]+))?$", re.MULTILINE)
_RESULT = re.compile(r"^(Megaflow|Datapath actions): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One table the packet went through; `cookie` is None where no flow matched."""

    table: int
    cookie: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """The switch's answer: its own words, and what can be read out of them.

    `actions` has one entry for each pass through the datapath; the last one ends the packet's way.
    """

    text: str
    steps: tuple[Step, ...]
    megaflow: str
    actions: tuple[str, ...]


async def trace(bridge: str, flow: str, ovs_run_dir: str | Path, *, deadline: float = 5.0) -> Trace:
    """What would happen to a packet that looks like `flow` (ovs-fields(7)).

    BadRequest when the switch cannot read it, Unavailable when ovs-vswitchd does not answer.
    """
    command = ("ovs-appctl", "-t", control_socket(Path(ovs_run_dir)), "ofproto/trace", bridge, flow)
    outcome = await programs.run(command, deadline=deadline)
    if outcome.code:
        if "cannot connect" in outcome.complaint:
            raise programs.unavailable(outcome.complaint)
        raise BadRequest(f"ovs-vswitchd cannot trace {flow!r} on bridge {bridge}: {_first_line(outcome.complaint)}")
    return parse_trace(outcome.output)


def parse_trace(text: str) -> Trace:
    """The parts of one answer."""
    results = [(what, words.strip()) for what, words in _RESULT.findall(text)]
    return Trace(
        text=text,
        steps=tuple(Step(int(table), int(cookie, 16) if cookie else None) for table, cookie in _STEP.findall(text)),
        megaflow=next((words for what, words in results if what == "Megaflow"), ""),
        actions=tuple(words for what, words in results if what == "Datapath actions"),
    )


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "no reason given"
