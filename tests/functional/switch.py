"""A private Open vSwitch: its own ovsdb-server and ovs-vswitchd in its own folder and network namespace.

Bridges of datapath type `dummy` cost nothing; `netdev` ones really forward between interfaces of the
namespace.
"""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
DEADLINE = 20.0
"""Seconds any program of a test may take; generous, since the machine may be busy."""
_numbers = itertools.count()


class Switch:
    """One switch; `stop_*` and `start_*` are idempotent."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.run_dir = folder
        self.namespace = namespace
        self.db_socket = folder / "db.sock"
        self.remote = f"unix:{self.db_socket}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = dict(
            os.environ,
            OVS_RUNDIR=str(folder),
            OVS_LOGDIR=str(folder),
            OVS_DBDIR=str(folder),
            OVS_SYSCONFDIR=str(folder),
        )

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Both daemons, ready."""
        self.start_database()
        self.start_daemon()

    def start_database(self) -> None:
        """ovsdb-server on the database of this folder."""
        database = self.run_dir / "conf.db"
        if not database.exists():
            self.call("ovsdb-tool", "create", str(database), str(SCHEMA))
        self._spawn("ovsdb-server", f"--remote=punix:{self.db_socket}", str(database))
        self._await_database()
        self.vsctl("--no-wait", "init")

    def start_daemon(self) -> None:
        """ovs-vswitchd, having taken up the whole database."""
        self._spawn("ovs-vswitchd", "--disable-system", "--enable-dummy", self.remote)
        # Raises next_cfg, and returns when the daemon has followed.
        self.vsctl("set", "Open_vSwitch", ".", f"external_ids:started={self.pid('ovs-vswitchd')}")

    def stop_daemon(self) -> None:
        """Kill ovs-vswitchd the hard way."""
        self._kill("ovs-vswitchd")

    def end_daemon(self) -> None:
        """Have ovs-vswitchd take its devices along, and wait until it has: the answer comes before that."""
        self.call("ovs-appctl", "exit", "--cleanup")
        self._processes.pop("ovs-vswitchd").wait(DEADLINE)

    def stop_database(self) -> None:
        """Kill ovsdb-server the hard way."""
        self._kill("ovsdb-server")

    def pid(self, name: str) -> int:
        """The process id of a daemon."""
        return self._processes[name].pid

    def _await_database(self) -> None:
        deadline = time.monotonic() + DEADLINE
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(str(self.db_socket)) != 0:
                assert time.monotonic() < deadline, "ovsdb-server does not come up"
                time.sleep(0.005)

    def _spawn(self, name: str, *arguments: str) -> None:
        if name in self._processes:
            return
        options = (
            f"--pidfile={self.run_dir}/{name}.pid",
            f"--log-file={self.run_dir}/{name}.log",
            "-vconsole:off",
        )
        self._processes[name] = subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                self.namespace,
                "setpriv",
                "--pdeathsig",
                "KILL",
                name,
                *options,
                *arguments,
            ],
            env=self._environment,
            cwd=self.run_dir,
            stderr=subprocess.DEVNULL,
        )

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()

    # ------------------------------------------------------------ what a person at the host would type

    def call(self, *command: str, stdin: str | None = None) -> str:
        """Run a program beside the switch, in its namespace, and return what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command],
            env=self._environment,
            cwd=self.run_dir,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout

    def vsctl(self, *arguments: str) -> str:
        """`ovs-vsctl` on this switch's database."""
        return self.call("ovs-vsctl", f"--timeout={DEADLINE:g}", f"--db={self.remote}", *arguments)

    def ofctl(self, *arguments: str, stdin: str | None = None) -> str:
        """`ovs-ofctl` with OpenFlow 1.4."""
        return self.call("ovs-ofctl", "--no-names", "-O", "OpenFlow14", *arguments, stdin=stdin)

    def add_bridge(self, name: str, *, datapath: str = "dummy") -> None:
        """A bridge made by hand, without our mark."""
        settings = (
            f"datapath_type={datapath}",
            "fail_mode=secure",
            "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15",
        )
        self.vsctl("add-br", name, "--", "set", "bridge", name, *settings)

    def flows(self, bridge: str) -> list[str]:
        """All flows of a bridge, without counters, sorted."""
        return sorted(self.ofctl("--no-stats", "dump-flows", bridge).splitlines())

    def groups(self, bridge: str) -> list[str]:
        """All groups of a bridge, sorted."""
        return sorted(self.ofctl("dump-groups", bridge).splitlines()[1:])


@contextmanager
def private_switch(kind: type[Switch] = Switch) -> Iterator[Switch]:
    """A running switch; nothing of it is left afterwards."""
    namespace = f"ovt{os.getpid()}-{next(_numbers)}"
    # Not pytest's folder: with it, socket paths would be longer than the 107 bytes Linux allows.
    folder = Path(tempfile.mkdtemp(prefix="ovt"))
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    switch = kind(folder, namespace)
    try:
        switch.call("ip", "link", "set", "lo", "up")
        switch.start()
        yield switch
    finally:
        switch.stop_daemon()
        switch.stop_database()
        subprocess.run(["ip", "netns", "del", namespace], check=True)
        shutil.rmtree(folder)
