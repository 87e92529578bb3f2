"""What machine a run was made on, and with what: figures of another one are not comparable."""

import datetime as dt
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.model.errors import OvsnetError

_VERSION = re.compile(r"\d+\.\d+[\w.~+-]*")


async def machine(crew: Crew, programs: Sequence[str]) -> dict[str, str]:
    """Kernel, processors, load and day; and the version of each program that is there."""
    facts = {
        "day": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "kernel": os.uname().release,
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
    for program in programs:
        try:
            said = _VERSION.search(await crew.call(program, "--version"))
        except OvsnetError:
            continue
        if said:
            facts[program] = said[0]
    return facts


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((it.partition(": ")[2].strip() for it in lines if it.startswith("model name")), os.uname().machine)
