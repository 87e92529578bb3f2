"""`python -m ovsnet.agent`: what `ovsnet agent` and `ovsnet uninstall` become. Decides which process this one is."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ovsnet.model.errors import BadRequest, OvsnetError
from ovsnet.settings import Settings, load

SYSTEMD_FIRST_FD = 3
"""sd_listen_fds(3)."""
USAGE = "usage: ovsnet agent [--config FILE] [--set NAME=VALUE]…"


def main(arguments: Sequence[str]) -> int:
    """The keeper, the agent below it, the agent below systemd, or the one that clears up."""
    try:
        options, rest = _options(arguments)
        settings = load(options["--config"], tuple(options["--set"]))
        if options["--remove-all"]:
            from ovsnet.agent.removal import remove_all

            return remove_all(settings)
        listener = _listener(options["--listen-fd"])
        if listener is None:
            from ovsnet.agent.keeper import run as keep

            return keep(settings, rest)
        return _agent(settings, listener)
    except OvsnetError as error:
        print(f"ovsnet agent: {error}", file=sys.stderr)
        return 2


def spare_memory() -> None:
    """To be called before anything is loaded that writes logs: structlog takes rich along where it is installed, 3 MiB,
    for tracebacks that ours does without.
    """
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # "not there" (importlib, "sys.modules")


def _agent(settings: Settings, listener: socket.socket) -> int:
    spare_memory()
    import asyncio

    from ovsnet.agent.eventloop import FairLoop
    from ovsnet.agent.main import run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.version_info < (3, 12):
        # Later versions do so by themselves: without, a thread is started for every program that is run.
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    with asyncio.Runner(loop_factory=FairLoop) as runner:
        asyncio.set_event_loop(runner.get_loop())  # which tells the watcher of child processes
        return runner.run(run(settings, listener))


def _options(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Our options, and those of them that are passed on to the processes below the keeper."""
    options: dict[str, Any] = {"--config": None, "--set": [], "--listen-fd": None, "--remove-all": False}
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        name, _, value = queue.pop(0).partition("=")
        if name == "--remove-all":
            options[name] = True
            continue
        if name not in options:
            raise BadRequest(f"option {name} is not known; {USAGE}")
        if not value:
            if not queue:
                raise BadRequest(f"option {name} needs a value; {USAGE}")
            value = queue.pop(0)
        if name == "--set":
            options[name].append(value)
        else:
            options[name] = Path(value) if name == "--config" else int(value)
        if name != "--listen-fd":
            rest += [name, value]
    return options, rest


def _listener(fd: int | None) -> socket.socket | None:
    """The plugin socket somebody holds for us: the keeper's, or systemd's (sd_listen_fds(3))."""
    if fd is None and os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        fd = SYSTEMD_FIRST_FD
    if fd is None:
        return None
    os.set_inheritable(fd, False)  # noqa: FBT003 - the call has no names
    return socket.socket(fileno=fd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
