"""The running clients: found, started, told to give back their lease. One process of dhcpcd for each interface.

They are not children of ours: a client goes on renewing while the agent is away, and the next agent takes it over by
its process file. Where the agent is a unit of systemd each client is one, too: its own limits, its own end.
"""

import asyncio
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from ovsnet import processes
from ovsnet.dhcp.places import PACKAGE, PROGRAM, REPORTS, Places, command, configuration, unit_of
from ovsnet.dhcp.report import lease_of, noted, recalled
from ovsnet.model.errors import ApplyError
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import NOTHING, Given, Lease, Lessee, together

START_DEADLINE = 5.0
"""Seconds until a client that was started has its process file."""
RELEASE_DEADLINE = 3.0
"""Seconds a client has to give its lease back; after that it is killed, and the lease runs out at the server."""
TIMES_TOLD = 3
"""So often within that time: dhcpcd loses signals while its hook runs."""
SPEAKABLE = re.compile(r"[\w/.:@+-]+", re.ASCII)
"""What a path may consist of, as it goes into dhcpcd's configuration: nothing there could begin a line of its own."""


@dataclass(frozen=True, slots=True)
class Running:
    """A client that runs, and for whom it was started."""

    lessee: Lessee
    pid: int


class Clients:
    """Owns the folders and the processes in them."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._news = asyncio.Event()
        self._pipe: int | None = None

    @contextmanager
    def listening(self, heard: Callable[[], None]) -> Iterator[None]:
        """Put in place what clients need, and call `heard` whenever one of them has something to say."""
        for folder in (self._places.run, self._places.kept):
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, place in (("hook.sh", self._places.hook), ("launch.sh", self._places.launcher)):
            _replace(Path(place), resources.files("ovsnet.dhcp").joinpath(name).read_text(), mode=0o700)
        with suppress(FileExistsError):
            os.mkfifo(self._places.news, 0o600)
        # For writing, too: otherwise the pipe would be at its end after the first client that closes it.
        self._pipe = pipe = os.open(self._places.news, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe, self._hear, heard)
        try:
            yield
        finally:
            loop.remove_reader(pipe)
            os.close(pipe)
            self._pipe = None

    def running(self) -> Mapping[EndpointId, Running]:
        """Every client that lives."""
        found = (self._at(it) for it in _folders(self._places.run))
        return {it.lessee.id: it for it in found if it is not None}

    def remembered(self) -> frozenset[EndpointId]:
        """Who has files of ours, whether its client lives or not."""
        return frozenset(EndpointId(it.name) for it in _folders(self._places.run))

    def whose(self, lessee: EndpointId) -> Lessee | None:
        """For whom its last client was started; None where that is not known."""
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._folder(lessee).joinpath("whose").read_bytes(), type=Lessee)
        return None

    def lease(self, lessee: EndpointId) -> Lease:
        """What the servers gave it, as far as they have told and it has not run out."""
        return together(self._told(lessee, name) for name in REPORTS.values())

    def given(self, lessee: EndpointId) -> Given:
        """What its interface has of it."""
        with suppress(OSError, UnicodeDecodeError):
            return recalled(self._folder(lessee).joinpath("given").read_text())
        return Given()

    def note_given(self, lessee: EndpointId, given: Given) -> None:
        """Remember what the interface has, for the next agent."""
        _replace(self._folder(lessee) / "given", noted(given))

    async def start(self, lessee: Lessee) -> None:
        """Start its client; ApplyError says why that cannot be."""
        if not SPEAKABLE.fullmatch(lessee.sandbox):
            raise ApplyError(
                _title(lessee), f"dhcpcd cannot be told of the path {lessee.sandbox!r}; choose a plain one"
            )
        self._prepare(lessee)
        why = await self._launch(lessee)
        if not await self._appeared(lessee):
            log = self._folder(lessee.id) / "log"
            raise ApplyError(_title(lessee), why or f"its DHCP client did not start; {log} says why")

    async def end(self, running: Running) -> None:
        """Have it give back its lease, and see to it that it is gone."""
        with suppress(ProcessLookupError):
            for _ in range(TIMES_TOLD):
                os.kill(running.pid, signal.SIGALRM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(RELEASE_DEADLINE / TIMES_TOLD):
                        await _ended(running.pid)
                        return
            os.kill(running.pid, signal.SIGKILL)

    async def ended(self, running: Running) -> None:
        """Return when it has ended, by itself or by somebody's doing."""
        with suppress(ProcessLookupError):
            await _ended(running.pid)

    def forget(self, lessee: EndpointId) -> None:
        """Remove the files of one whose client does not run."""
        for folder in (self._places.folder(lessee), self._places.leases(lessee)):
            shutil.rmtree(folder, ignore_errors=True)

    # ---------------------------------------------------------------- files

    def _folder(self, lessee: EndpointId) -> Path:
        return Path(self._places.folder(lessee))

    def _told(self, lessee: EndpointId, name: str) -> Lease:
        with suppress(OSError, UnicodeDecodeError):
            report = self._folder(lessee) / name
            lease = lease_of(report.read_text(), report.stat().st_mtime)
            # A client that is there says so itself when it runs out.
            return lease if lease.expires_at is None or lease.expires_at > time.time() else NOTHING
        return NOTHING

    def _at(self, folder: Path) -> Running | None:
        """The client of that folder. Its number may have gone to another process, which was started at another time."""
        lessee = self.whose(EndpointId(folder.name))
        with suppress(OSError, ValueError):
            pid, started = folder.joinpath("pid").read_text().split()
            if lessee is not None and _started(pid) == started:
                return Running(lessee, int(pid))
        return None

    def _prepare(self, lessee: Lessee) -> None:
        folder = self._folder(lessee.id)
        for it in (folder, Path(self._places.leases(lessee.id))):
            it.mkdir(mode=0o700, exist_ok=True)
        folder.joinpath("pid").unlink(missing_ok=True)
        _replace(folder / "conf", configuration(lessee, self._places))
        _replace(folder / "whose", msgspec.json.encode(lessee).decode())

    def _has_started(self, lessee: Lessee) -> bool:
        return self._folder(lessee.id).joinpath("pid").exists()

    # ---------------------------------------------------------------- processes

    async def _launch(self, lessee: Lessee) -> str:
        """Start it without being its parent; returns what the programs on the way there complained of."""
        if shutil.which(PROGRAM) is None:
            why = f"{PROGRAM} is not installed, which asks for addresses; on Debian: apt-get install {PACKAGE}"
            raise ApplyError(_title(lessee), why)
        try:
            what = f"DHCP for {lessee.ifname} of {lessee.hostname or 'a container'}, kept by ovsnet"
            line = (*processes.beside_us(unit_of(lessee.id), what), *command(lessee, self._places))
            done = await processes.run(line, deadline=START_DEADLINE)
        except (OSError, TimeoutError) as error:
            raise ApplyError(_title(lessee), f"its DHCP client cannot be started: {error}") from error
        return done.complaint

    async def _appeared(self, lessee: Lessee) -> bool:
        """Whether the client wrote its process file; it says so in the pipe."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_DEADLINE):
                while not self._has_started(lessee):
                    self._news.clear()
                    await self._news.wait()
        return self._has_started(lessee)

    def _hear(self, heard: Callable[[], None]) -> None:
        if self._pipe is not None:
            with suppress(BlockingIOError):
                while os.read(self._pipe, 1 << 16):
                    pass
        self._news.set()
        heard()


async def _ended(pid: int) -> None:
    """Return when that process has ended; ProcessLookupError when there is none."""
    descriptor = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _title(lessee: Lessee) -> str:
    return f"DHCP on {lessee.ifname} of {lessee.hostname or lessee.sandbox}"


def _folders(within: str) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (it for it in Path(within).iterdir() if it.is_dir())


def _started(pid: str) -> str:
    """When a process was started, in ticks since boot; "" for one that has ended and was not looked at (proc(5))."""
    state, *values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if state == "Z" else values[18]


def _replace(file: Path, text: str, *, mode: int = 0o600) -> None:
    """Never half of it, also when we are killed; nothing is written when it is so already, as the disk may be full."""
    with suppress(FileNotFoundError):
        if file.read_text() == text and stat.S_IMODE(file.stat().st_mode) == mode:
            return
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(file)
