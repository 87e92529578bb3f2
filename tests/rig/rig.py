"""Hosts for one test session: made on demand, taken down at its end, or by the next session if it died."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.host import HERE, PROJECT, Host
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import ENVIRONMENT, NamespaceHost
from tests.rig.process import run

BASE = Path("/tmp/ovsnet-rig")
UP_TIMEOUT = 180.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a host is built; see ./hosts for each word."""

    docker: bool = True
    ovs: bool = True
    vtep: bool = False
    trunk: bool = False
    tso: bool = False
    systemd: bool = False
    mtu: int = 1500
    root: str = "/"
    images: str = "busybox"
    dockerd_args: str = ""
    kernel_args: str = ""
    """Of kernel machines only."""

    def options(self) -> tuple[str, ...]:
        """As ./hosts and ./uml take them."""
        flags = {
            "--no-docker": not self.docker,
            "--no-ovs": not self.ovs,
            "--vtep": self.vtep,
            "--trunk": self.trunk,
            "--tso": self.tso,
            "--systemd": self.systemd,
        }
        return (
            *(flag for flag, given in flags.items() if given),
            *("--mtu", str(self.mtu)),
            *("--root", self.root),
            *("--images", self.images),
            *(("--dockerd-args", self.dockerd_args) if self.dockerd_args else ()),
            *(("--kernel-args", self.kernel_args) if self.kernel_args else ()),
        )


class Rig:
    """The hosts of this process. Its name holds our pid, so that sessions side by side do not meet."""

    def __init__(self) -> None:
        self.name = f"on{os.getpid()}"
        self.state = BASE / self.name
        self._env = {**ENVIRONMENT, "OVSNET_RIG_NAME": self.name, "OVSNET_RIG_BASE": str(BASE)}
        self._next_number = 1
        self.hosts: list[Host] = []
        # Also takes down what sessions before us left when they were killed.
        run(str(HERE / "hosts"), "claim", str(os.getpid()), env=self._env, timeout=UP_TIMEOUT)

    def host(self, shape: Shape | None = None) -> NamespaceHost:
        """A fresh host on the userspace datapath, its engine and switch running."""
        number = self._number()
        host = NamespaceHost(number, self.state, self._env)
        self._up("hosts", number, shape or Shape(), [host])
        return host

    def kernel_host(self, shape: Shape | None = None) -> KernelHost:
        """A fresh machine with the kernel datapath."""
        return self.kernel_hosts(1, shape)[0]

    def kernel_hosts(self, count: int, shape: Shape | None = None) -> Sequence[KernelHost]:
        """So many such machines; they boot side by side."""
        numbers = [self._number() for _ in range(count)]
        hosts = [KernelHost(it, self.state, self._env) for it in numbers]
        self._up("uml", numbers[0], shape or Shape(), hosts)
        return hosts

    def discard(self, host: Host) -> None:
        """Take one host down before the end of the session."""
        self.hosts.remove(host)
        host.down()

    def close(self) -> None:
        """Take everything down."""
        run(str(HERE / "hosts"), "down", env=self._env, timeout=UP_TIMEOUT)
        self.hosts.clear()

    def _number(self) -> int:
        number = self._next_number
        self._next_number += 1
        return number

    def _up(self, script: str, first: int, shape: Shape, hosts: Sequence[Host]) -> None:
        options = (str(len(hosts)), "--first", str(first), *shape.options(), *_binds())
        run(str(HERE / script), "up", *options, env=self._env, timeout=UP_TIMEOUT)
        self.hosts.extend(hosts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _binds() -> Sequence[str]:
    """Where our Python lives, if a host would not see it: its overlay shows the root file system only."""
    python = Path(sys.base_prefix).resolve()
    if python.stat().st_dev == Path("/").stat().st_dev or python == Path("/usr") or PROJECT in python.parents:
        return ()
    return ("--bind", str(python))
