"""An agent that dies when it is told to, on a real switch without an engine, and who calls it as the engine does."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.functional.boundary import Fate
from tests.functional.mortal import MODULE
from tests.functional.switch import Switch, private_switch

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
BROKEN = (ConnectionError, http.client.HTTPException)


class Calling(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("ovsnet", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


class MortalAgent:
    """Its keeper starts it again each time."""

    def __init__(self, switch: Switch, folder: Path) -> None:
        self.switch = switch
        self._folder = folder
        self._fuse = folder / "fuse"
        self._struck = folder / "fuse.struck"
        self.plugin, self.api = folder / "plugin.sock", folder / "run" / "api.sock"
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        settings = {
            "run_dir": self._folder / "run",
            "state_dir": self._folder / "state",
            "plugin_socket": self.plugin,
            "api_socket": self.api,
            "docker_socket": self._folder / "docker.sock",
            "ovsdb_socket": self.switch.db_socket,
            "ovs_run_dir": self.switch.run_dir,
            "datapath": "netdev",
            "retry_period": 0.1,
            "spare_ports": 1,  # when it was taken the next one is made at once
        }
        words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [
                    *("ip", "netns", "exec", self.switch.namespace, "setpriv", "--pdeathsig", "KILL"),
                    *(sys.executable, "-m", MODULE, str(self._fuse), "keeper", *words),
                ],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"},
                stdout=log,
                stderr=log,
            )
        self.wait_ready()

    def stop(self) -> None:
        """All of its processes."""
        if self._keeper is not None:
            self._keeper.terminate()
            self._keeper.wait(PATIENCE)

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def wait_ready(self) -> None:
        """It serves, and all that is wanted is in force."""
        self.until(lambda: self.check() == [], "a clean check")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE:g} s: {self.log()[-3000:]}"
            time.sleep(0.02)

    # ------------------------------------------------------------ its end

    def doom(self, number: int, fate: Fate) -> None:
        """With the change of that number from now on it ends; 0: with none."""
        self._struck.unlink(missing_ok=True)
        draft = self._fuse.with_suffix(".draft")
        draft.write_text(f"{number} {fate}")
        draft.rename(self._fuse)

    def died_of(self) -> str:
        """In words, "" when it lived on."""
        return self._struck.read_text() if self._struck.exists() else ""

    # ------------------------------------------------------------ asking it

    def call(self, method: str, **body: Any) -> Any:
        """A driver call; as the engine does it, one that got no answer is made again."""
        answer = self._asked(self.plugin, "POST", f"/{method}", body)
        refusal = answer.get("Err") or answer.get("Error")
        assert not refusal, f"{method}: {refusal}"
        return answer

    def order(self, what: str, **body: Any) -> Any:
        """An order of the API, made again when it got no answer."""
        return self._asked(self.api, "POST", f"/v1/{what}", body)

    def check(self) -> list[Any] | None:
        """What `ovsnet check` finds; None while nobody answers."""
        try:
            said = self._once(self.api, "GET", "/v1/check", None)
        except (OSError, *BROKEN):
            return None
        items: list[Any] | None = said.get("items")
        return items

    def _asked(self, path: Path, verb: str, target: str, body: Any) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._once(path, verb, target, body)
            except (OSError, *BROKEN):
                assert time.monotonic() < deadline, f"no answer to {target}: {self.log()[-3000:]}"
                time.sleep(0.02)

    def _once(self, path: Path, verb: str, target: str, body: Any) -> Any:
        connection = Calling(path)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(verb, target, text, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def mortal_agent() -> Iterator[MortalAgent]:
    """On a switch of its own; nothing of it is left afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ovm")))
        agent = MortalAgent(stack.enter_context(private_switch()), folder)
        stack.callback(agent.stop)
        agent.start()
        yield agent
