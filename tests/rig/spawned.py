"""A command that runs in a host until somebody ends it."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.rig.process import Completed, wait_until

if TYPE_CHECKING:
    from tests.rig.host import Host

SIGNAL_BASE = 128


class Spawned:
    """What ./spawn started: its pid in the host, what it says, how it ended. A `with` block ends it."""

    def __init__(self, host: "Host", argv: tuple[str, ...], folder: Path) -> None:
        self.host = host
        self.argv = argv
        self._folder = folder

    def started(self) -> bool:
        return bool(self._text("pid"))

    @property
    def pid(self) -> int:
        """Its process id as the host counts."""
        return int(self._text("pid"))

    @property
    def running(self) -> bool:
        return not (self._folder / "rc").exists()

    @property
    def stdout(self) -> str:
        return self._text("out")

    @property
    def stderr(self) -> str:
        return self._text("err")

    def signal(self, name: str) -> None:
        """Send a signal by name ("TERM"); a process that is gone is left in peace."""
        self.host.run("kill", f"-{name}", str(self.pid), check=False)

    def wait(self, deadline: float = 30.0) -> Completed:
        """Its end, within `deadline` seconds."""
        wait_until(lambda: not self.running, deadline, f"end of {' '.join(self.argv)}")
        code = int(self._text("rc"))
        returncode = SIGNAL_BASE - code if code > SIGNAL_BASE else code
        return Completed(self.argv, returncode, self.stdout, self.stderr, 0.0)

    def stop(self, name: str = "TERM", deadline: float = 30.0) -> Completed:
        """End it by a signal and wait for that."""
        if self.running:
            self.signal(name)
        return self.wait(deadline)

    def wait_for_output(self, text: str, deadline: float = 10.0) -> None:
        """Until it has printed `text`; fails at once when it ends without."""
        wait_until(lambda: text in self.stdout or not self.running, deadline, f"{text!r} from {' '.join(self.argv)}")
        assert text in self.stdout, f"{' '.join(self.argv)} ended without {text!r}: {self.stderr}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop("KILL")

    def _text(self, name: str) -> str:
        try:
            return (self._folder / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""
