"""A host with a kernel of its own (./uml): half a minute to start, and the real kernel datapath."""

from pathlib import Path

from tests.rig.host import HERE, Host
from tests.rig.namespace_host import ENVIRONMENT
from tests.rig.process import DEFAULT_TIMEOUT, Completed, run

CONSOLE_CHARS = 4000


class KernelHost(Host):
    """One machine of ./uml. A command costs 0.1 to 0.4 s: ask for several things at once."""

    def __init__(self, number: int, state: Path, rig_env: dict[str, str]) -> None:
        self._number = number
        self._state = state / f"u{number}"
        self._env = rig_env
        super().__init__(f"u{number}", self._state / "log")

    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: str | bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Completed:
        environment = tuple(f"{name}={value}" for name, value in ENVIRONMENT.items())
        return run(
            *(str(HERE / "uml"), "exec", str(self._number), "env", "-i", *environment, *argv),
            check=check,
            stdin=stdin,
            timeout=timeout,
            env=self._env,
        )

    def down(self) -> None:
        run(str(HERE / "uml"), "down", str(self._number), env=self._env)

    def kernel_log(self) -> str:
        return (self._state / "console").read_text(errors="replace")[-CONSOLE_CHARS:]
