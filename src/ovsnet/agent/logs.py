"""Where the agent's log lines go: stderr as text or JSON, and a ring of the last ones for `ovsnet report`."""

import logging
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog

from ovsnet.settings import Settings

RING = 2000
"""Lines kept in memory."""


class Ring:
    """The last log lines of this process."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=RING)
        self._render = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])

    def lines(self) -> Sequence[str]:
        """Oldest first."""
        return tuple(self._lines)

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """A structlog processor: keep a copy, pass it on."""
        plain = {key: value for key, value in event.items() if key != "exc_info"}
        self._lines.append(str(self._render(logger, method, dict(plain))))
        return event


def configure(settings: Settings) -> Ring:
    """Set structlog up for this process; returns the ring of last lines."""
    ring = Ring()
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        # Plain: the default shows local variables, and some hold keys and secrets.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ring,
            structlog.processors.StackInfoRenderer(),
            *([structlog.processors.format_exc_info] if settings.log_format == "json" else []),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    return ring
