"""Runs Open vSwitch's own command line programs, each with a deadline; none survives its caller."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ovsnet.model.errors import Unavailable

NEIGHBOUR = "Open vSwitch"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left behind; `code` 0 is success."""

    code: int
    output: str
    complaint: str


async def run(command: Sequence[str], *, stdin: str = "", deadline: float) -> Outcome:
    """Run one program to its end; Unavailable when it is not installed or takes longer than `deadline` seconds."""
    process = await start(command, stdin=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(deadline):
            output, complaint = await process.communicate(stdin.encode())
    except TimeoutError:
        raise Unavailable(NEIGHBOUR, f"no answer to {command[0]} within {deadline:g} s") from None
    finally:
        await end(process)
    return Outcome(process.returncode or 0, output.decode(errors="replace"), complaint.decode(errors="replace").strip())


async def start(
    command: Sequence[str], *, stdin: int = asyncio.subprocess.DEVNULL, line_limit: int = 1 << 16
) -> asyncio.subprocess.Process:
    """Start one program with its output and its complaints on pipes; Unavailable when it is not installed."""
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=line_limit,
        )
    except FileNotFoundError:
        raise Unavailable(NEIGHBOUR, f"{command[0]} is not installed; install openvswitch-switch") from None


async def end(process: asyncio.subprocess.Process) -> None:
    """See to it that a program is gone: killed if it still runs, and reaped."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
