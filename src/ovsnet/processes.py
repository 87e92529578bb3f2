"""Runs other programs, each with a deadline; none survives its caller, but those that are started to."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEMD = Path("/run/systemd/system")
"""There when systemd is the first process (sd_booted(3))."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind; `code` 0 is success."""

    code: int
    output: bytes
    complaint: str


async def run(
    command: Sequence[str],
    *,
    stdin: str = "",
    deadline: float,
    merge_complaints: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run one program to its end.

    OSError when it cannot be started (FileNotFoundError: it is not installed), TimeoutError when it takes longer than
    `deadline` seconds.
    """
    process = await start(
        command, stdin=asyncio.subprocess.PIPE, merge_complaints=merge_complaints, environment=environment
    )
    return await finish(process, stdin=stdin, deadline=deadline)


async def finish(process: asyncio.subprocess.Process, *, stdin: str, deadline: float) -> Finished:
    """Give a program that was started with a pipe for it its input, and wait for its end; TimeoutError when that takes
    longer than `deadline` seconds.
    """
    try:
        async with asyncio.timeout(deadline):
            output, complaint = await process.communicate(stdin.encode())
            if process.stdin is not None:
                with suppress(BrokenPipeError, ConnectionResetError):  # it has ended without having read all of it
                    await process.stdin.wait_closed()
    finally:
        await end(process)
    return Finished(process.returncode or 0, output, (complaint or b"").decode(errors="replace").strip())


async def start(
    command: Sequence[str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    merge_complaints: bool = False,
    environment: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """Start one program with its output on a pipe, its complaints among it or on another pipe; OSError if it cannot."""
    return await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if merge_complaints else asyncio.subprocess.PIPE,
    )


def beside_us(unit: str, description: str) -> tuple[str, ...]:
    """The words before those of a program that shall outlive us, as no child of ours and in no session of ours.

    Where systemd has started us it is a unit of its own: all processes of a unit end with its main one. A shell that
    runs us by hand is no unit (systemd.exec(5), INVOCATION_ID), and then init adopts the program.
    """
    if not (SYSTEMD.is_dir() and "INVOCATION_ID" in os.environ):
        return ("setsid", "--fork")
    how = ("--quiet", "--collect", "--service-type=exec", f"--unit={unit}", f"--description={description}")
    return ("systemd-run", *how, "--")


async def end(process: asyncio.subprocess.Process) -> None:
    """See to it that a program is gone: killed if it still runs, and reaped."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        # asyncio tells of the end only once the pipes were read to theirs, and stops reading what nobody takes.
        for pipe in (process.stdout, process.stderr):
            while pipe is not None and await pipe.read(1 << 16):
                pass
        await process.wait()
