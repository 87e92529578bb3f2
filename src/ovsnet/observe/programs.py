"""Asks other programs for the doctor, each with a deadline; no answer is a reading, too."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

DEADLINE = 3.0
"""Seconds each program or socket gets."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a program or a socket answered; `why` says why there is no answer, "" where there is one."""

    text: str = ""
    why: str = ""


def run(arguments: Sequence[str], **environment: str) -> Said:
    """The output of a program, or in one line why there is none."""
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            env={**os.environ, "LC_ALL": "C", **environment},
        )
    except FileNotFoundError:
        return Said(why=f"{arguments[0]} is not installed")
    except subprocess.TimeoutExpired:
        return Said(why=f"{arguments[0]} did not answer within {DEADLINE:g} s")
    if done.returncode:
        complaint = done.stderr.strip().splitlines() or [f"{arguments[0]} ended with {done.returncode}"]
        return Said(why=complaint[-1])
    return Said(text=done.stdout.strip())
