"""What the doctor says of one subject. Pure."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """`warning`: works, with a limit worth knowing. `problem`: something does not work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One subject the doctor looked at. `remedy` says what to do, "" where nothing is to be done."""

    subject: str
    level: Level
    says: str
    remedy: str = ""


def worst(findings: Sequence[Finding]) -> Level:
    """The most serious level there is."""
    levels = {it.level for it in findings}
    return next((it for it in (Level.PROBLEM, Level.WARNING) if it in levels), Level.OK)


def ok(subject: str, says: str) -> Finding:
    """All is well."""
    return Finding(subject=subject, level=Level.OK, says=says)


def warning(subject: str, says: str, remedy: str) -> Finding:
    """It works, with a limit."""
    return Finding(subject=subject, level=Level.WARNING, says=says, remedy=remedy)


def problem(subject: str, says: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(subject=subject, level=Level.PROBLEM, says=says, remedy=remedy)
