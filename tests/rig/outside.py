"""The wire between the hosts, which is no host: who comes from there is a stranger to all of them.

outside = Outside(rig.name)
with Flood(outside, container, "172.31.0.1", port=7900) as flood: …    through a published port
"""

import signal
import subprocess
import tempfile
from pathlib import Path

from tests.rig.process import Completed, run, wait_until


class Outside:
    """Commands in the namespace of the segments, as 172.31.0.254."""

    def __init__(self, rig_name: str) -> None:
        self._enter = ("ip", "netns", "exec", f"{rig_name}-net")

    def run(self, *argv: str, check: bool = True) -> Completed:
        return run(*self._enter, *argv, check=check)

    def pings(self, address: str) -> bool:
        """Whether one ping is answered within a second."""
        return self.run("ping", "-n", "-c", "1", "-W", "1", address, check=False).ok

    def spawn_inside(self, *argv: str, label: str = "") -> "Stranger":
        """What runs until stopped."""
        return Stranger((*self._enter, *argv))


class Stranger:
    """A command out there until somebody ends it; what it says is kept as long as it is needed."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._argv = argv
        with tempfile.NamedTemporaryFile(prefix="ovsnet-outside-", delete=False) as out:
            self._path = Path(out.name)
            # `ip netns exec` becomes the command: its pid is the command's.
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    @property
    def stdout(self) -> str:
        return self._path.read_text(errors="replace")

    def wait_for_output(self, text: str, deadline: float = 10.0) -> None:
        """Until it has printed `text`."""
        wait_until(lambda: text in self.stdout, deadline, f"{text!r} from {' '.join(self._argv)}")

    def stop(self, name: str = "TERM", deadline: float = 30.0) -> Completed:
        """End it by a signal and wait for that; what it said is forgotten then."""
        self._process.send_signal(signal.Signals[f"SIG{name}"])
        code = self._process.wait(deadline)
        said = self.stdout.strip()
        self._path.unlink()
        return Completed(self._argv, code, said, "", 0.0)
