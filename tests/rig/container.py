"""A container on a host of the rig."""

import json
from typing import TYPE_CHECKING, Any

from tests.rig.process import DEFAULT_TIMEOUT, Completed

if TYPE_CHECKING:
    from tests.rig.host import Host
    from tests.rig.spawned import Spawned


def entering(pid: int) -> tuple[str, ...]:
    """What is written before a program of the host's to have it run in the network namespace of a process."""
    return ("nsenter", "-t", str(pid), "-n", "--")


class Container:
    """A container by name. `exec` runs its programs; `inside` runs the host's in its network namespace."""

    def __init__(self, host: "Host", name: str) -> None:
        self.host = host
        self.name = name

    def exec(self, *argv: str, check: bool = True, timeout: float = DEFAULT_TIMEOUT) -> Completed:
        return self.host.docker("exec", self.name, *argv, check=check, timeout=timeout)

    def inside(self, *argv: str, check: bool = True, timeout: float = DEFAULT_TIMEOUT) -> Completed:
        return self.host.run(*self._enter(), *argv, check=check, timeout=timeout)

    def spawn_inside(self, *argv: str, label: str = "") -> "Spawned":
        """As `inside`, for what runs until stopped."""
        return self.host.spawn(*self._enter(), *argv, label=label)

    def _enter(self) -> tuple[str, ...]:
        return entering(self.pid)

    def inspect(self) -> Any:
        """What `docker inspect` knows of it."""
        return json.loads(self.host.docker("inspect", self.name).stdout)[0]

    @property
    def pid(self) -> int:
        """Of its first process, as the host counts; another one after every restart."""
        return int(self.host.docker("inspect", "-f", "{{.State.Pid}}", self.name).stdout)

    def address(self, network: str) -> str:
        """Its IPv4 address on a network, as Docker believes; empty without one."""
        return str(self._endpoint(network)["IPAddress"])

    def address6(self, network: str) -> str:
        return str(self._endpoint(network)["GlobalIPv6Address"])

    def mac(self, network: str) -> str:
        return str(self._endpoint(network)["MacAddress"])

    def _endpoint(self, network: str) -> Any:
        return self.inspect()["NetworkSettings"]["Networks"][network]

    def pings(self, address: str, *, count: int = 1, wait: int = 1) -> bool:
        """Whether any of `count` pings is answered, each within `wait` seconds."""
        return self.inside("ping", "-n", "-i", "0.2", "-c", str(count), "-W", str(wait), address, check=False).ok

    def restart(self) -> None:
        self.host.docker("restart", "-t", "1", self.name)

    def stop(self) -> None:
        self.host.docker("stop", "-t", "1", self.name)

    def start(self) -> None:
        self.host.docker("start", self.name)

    def remove(self) -> None:
        self.host.docker("rm", "-f", self.name)
