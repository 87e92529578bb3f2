"""A throw-away host as tests see it, whatever it is made of."""

import itertools
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from tests.rig.agent import Agent
from tests.rig.container import Container
from tests.rig.process import DEFAULT_TIMEOUT, Completed, wait_until
from tests.rig.spawned import Spawned

HERE: Final = Path(__file__).resolve().parent
PROJECT: Final = HERE.parents[1]
# What `log_dir` is called inside of every host.
INSIDE_LOG_DIR: Final = "/var/log/host"
TAIL_LINES: Final = 80
# dockerd's chatter with its containerd, which fills any log.
NOISE: Final = ("module=grpc", "module=libcontainerd", 'level=info msg="loading plugin')


@dataclass(frozen=True, slots=True)
class Versions:
    """What a host runs; measured figures are worth nothing without it."""

    engine: str
    ovs: str
    kernel: str


class Host(ABC):
    """One host with its own engine and switch. Commands run as root, in a clean environment."""

    def __init__(self, name: str, log_dir: Path) -> None:
        self.name = name
        self.log_dir = log_dir
        self._numbers = itertools.count(1)

    @abstractmethod
    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: str | bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Completed:
        """Run a command in the host to its end; raises CommandFailed unless `check` is off."""

    @abstractmethod
    def down(self) -> None:
        """Take the host away with everything in it."""

    @abstractmethod
    def kernel_log(self) -> str:
        """What the host's console said, where it has one."""

    # ------------------------------------------------------------ programs

    @cached_property
    def agent(self) -> Agent:
        """The agent of this host (not started by asking)."""
        return Agent(self)

    def spawn(self, *argv: str, label: str = "") -> Spawned:
        """Start a command that runs until stopped; its output is kept with the host's logs."""
        label = f"{next(self._numbers):03d}-{label or Path(argv[0]).name}"
        self.run(str(HERE / "spawn"), f"{INSIDE_LOG_DIR}/{label}", *argv)
        spawned = Spawned(self, argv, self.log_dir / label)
        wait_until(spawned.started, 10, f"start of {shlex.join(argv)} on {self.name}")
        return spawned

    def shell(self, script: str, *, check: bool = True, timeout: float = DEFAULT_TIMEOUT) -> Completed:
        return self.run("bash", "-c", script, check=check, timeout=timeout)

    def docker(self, *argv: str, check: bool = True, timeout: float = DEFAULT_TIMEOUT) -> Completed:
        return self.run("docker", *argv, check=check, timeout=timeout)

    def ovsnet(self, *argv: str, check: bool = True, timeout: float = DEFAULT_TIMEOUT) -> Completed:
        """The installed command line, from the project's own environment."""
        return self.run(str(PROJECT / ".venv/bin/ovsnet"), *argv, check=check, timeout=timeout)

    def ovs_vsctl(self, *argv: str, check: bool = True) -> Completed:
        return self.run("ovs-vsctl", "--timeout=10", *argv, check=check)

    # ------------------------------------------------------------ services

    def services(self, *words: str, timeout: float = 240.0) -> None:
        """`services("ovs", "stop")`: see ./services; returns when it is so."""
        self.run(str(HERE / "services"), *words, timeout=timeout)

    def ovs_stop(self) -> None:
        self.services("ovs", "stop")

    def ovs_start(self) -> None:
        self.services("ovs", "start")

    def vswitchd_restart(self) -> None:
        self.services("vswitchd", "restart")

    def dockerd_restart(self) -> None:
        self.services("docker", "restart")

    # ------------------------------------------------------------ files

    def read_file(self, path: str) -> str:
        return self.run("cat", path).stdout

    def write_file(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file, making its folder."""
        quoted = shlex.quote(path)
        self.run(
            "sh",
            "-c",
            f'mkdir -p "$(dirname {quoted})" && cat >{quoted} && chmod {mode} {quoted}',
            stdin=text,
        )

    def exists(self, path: str) -> bool:
        return self.run("test", "-e", path, check=False).ok

    # ------------------------------------------------------------ containers

    def start_container(
        self,
        name: str,
        *options: str,
        network: str = "",
        image: str = "busybox:local",
        command: Sequence[str] = ("sleep", "1000000"),
    ) -> Container:
        """`docker run -d`: a container that stays; options go before the image."""
        where = ("--network", network) if network else ()
        # Without --init, sleep as pid 1 ignores SIGTERM, and every stop takes ten seconds.
        self.docker("run", "-d", "--init", "--name", name, *where, *options, image, *command)
        return Container(self, name)

    @contextmanager
    def container(self, name: str, *options: str, network: str = "") -> Iterator[Container]:
        """A container for the length of a `with` block."""
        try:
            yield self.start_container(name, *options, network=network)
        finally:
            self.docker("rm", "-f", name, check=False)

    def remove_containers(self) -> None:
        """Every container there is, running or not."""
        if ids := self.docker("ps", "-aq").stdout.split():
            self.docker("rm", "-f", *ids, timeout=120)

    def remove_networks(self) -> None:
        """Every network Docker does not have by itself."""
        if ids := self.docker("network", "ls", "-q", "--filter", "type=custom").stdout.split():
            self.docker("network", "rm", *ids, timeout=120)

    # ------------------------------------------------------------ facts

    def processes(self) -> Mapping[int, tuple[int, str]]:
        """Pid → parent and command line, without zombies."""
        found = {}
        for line in self.run("ps", "-eo", "pid=,ppid=,stat=,args=").stdout.splitlines():
            pid, parent, state, command = line.split(None, 3)
            if not state.startswith("Z"):
                found[int(pid)] = (int(parent), command)
        return found

    def bridges(self) -> list[str]:
        return self.ovs_vsctl("list-br").stdout.split()

    @cached_property
    def versions(self) -> Versions:
        ovs = self.run("ovs-vswitchd", "--version").stdout.splitlines()[0].split()[-1]
        engine = self.docker("version", "-f", "{{.Server.Version}}").stdout.strip()
        return Versions(engine=engine, ovs=ovs, kernel=self.run("uname", "-r").stdout.strip())

    def logs(self) -> Mapping[str, str]:
        """The last lines of everything that keeps a log here; for reports of failed tests."""
        files = sorted(path for path in self.log_dir.rglob("*") if path.is_file() and path.name not in ("pid", "rc"))
        found = {str(path.relative_to(self.log_dir)): _tail(path) for path in files}
        for command in (
            "ovs-vsctl show",
            "docker ps -a",
            "grep -v INFO /var/log/openvswitch/ovs-vswitchd.log | tail -n 40",
        ):
            result = self.shell(command, check=False, timeout=10)
            found[command] = result.stdout + result.stderr
        found["console"] = self.kernel_log()
        return {name: text for name, text in found.items() if text.strip()}


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return "\n".join([line for line in lines if not any(noise in line for noise in NOISE)][-TAIL_LINES:])
