"""A host made of namespaces (./hosts): a second to start, the userspace datapath, as many as one likes."""

from pathlib import Path

from tests.rig.host import HERE, Host
from tests.rig.process import DEFAULT_TIMEOUT, Completed, run

BOOT = 180.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class NamespaceHost(Host):
    """One host of ./hosts. Commands enter its namespaces directly, which costs ten milliseconds."""

    def __init__(self, number: int, state: Path, rig_env: dict[str, str]) -> None:
        self._number = number
        self._state = state / f"h{number}"
        self._env = rig_env
        super().__init__(f"h{number}", self._state / "log")

    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: str | bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Completed:
        enter = ("nsenter", "-t", str(self.outer_pid), "-m", "-u", "-i", "-n", "-p", "-C", "--")
        return run(*enter, *argv, check=check, stdin=stdin, timeout=timeout, env=ENVIRONMENT)

    @property
    def outer_pid(self) -> int:
        """Its pid 1, as the machine below counts."""
        return int((self._state / "pid").read_text().split()[0])

    def reboot(self) -> None:
        """Power off and on: processes and /run are gone, the disk stays; see `on_boot`."""
        run(str(HERE / "hosts"), "reboot", str(self._number), env=self._env, timeout=BOOT)

    def on_boot(self, script: str) -> None:
        """What the host runs at boot, beside everything else and before its engine."""
        self.write_file("/etc/rig-boot", f"#!/bin/sh\n{script}\n", mode="755")

    def down(self) -> None:
        run(str(HERE / "hosts"), "down", str(self._number), env=self._env)

    def kernel_log(self) -> str:
        return (self._state / "init.log").read_text(errors="replace")
