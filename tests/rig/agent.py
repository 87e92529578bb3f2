"""The agent on a host of the rig: the installed one, started as a user would start it."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.rig.process import wait_until

if TYPE_CHECKING:
    from tests.rig.host import Host
    from tests.rig.spawned import Spawned

MODULE = "ovsnet.agent"
# A kernel machine has one processor, and at times less than one.
READY_DEADLINE = 120.0
A_WHILE = "5"


class Agent:
    """`ovsnet agent` on one host.

    keeper (what we start) ─┬─ store: an ovsdb-server
                            └─ agent: the child that is restarted when it dies
    """

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._keeper: Spawned | None = None

    @property
    def running(self) -> bool:
        """Whether the keeper is there; the agent itself may be between two lives."""
        return self._keeper is not None and self._keeper.running

    def start(self, *options: str, ready: bool = True) -> None:
        """`ovsnet agent OPTIONS`; returns when it is ready, unless told otherwise."""
        assert not self.running, "the agent runs already"
        project = Path(__file__).resolve().parents[2]
        self._keeper = self._host.spawn(str(project / ".venv/bin/ovsnet"), "agent", *options, label="agent")
        if ready:
            self.wait_ready()

    def adopt(self, keeper: "Spawned") -> None:
        """This is the agent from now on: started by somebody else, such as the host's boot."""
        self._keeper = keeper

    def wait_ready(self, deadline: float = READY_DEADLINE) -> None:
        """Until `ovsnet status` is content; the failure shows what it said last."""
        keeper = self._need_keeper()
        said = ""

        def content() -> bool:
            nonlocal said
            assert keeper.running, f"the agent ended by itself: {keeper.stderr[-2000:]}"
            status = self._host.ovsnet("status", "--wait", A_WHILE, check=False)
            said = status.stdout + status.stderr
            return status.ok

        try:
            wait_until(content, deadline, f"agent of {self._host.name} ready")
        except AssertionError as error:
            error.add_note(f"ovsnet status said:\n{said}\nagent said:\n{self.log()[-3000:]}")
            raise

    def stop(self, signal: str = "TERM", deadline: float = 20.0) -> None:
        """End keeper, store and agent in an orderly way."""
        if self._keeper is not None:
            self._keeper.stop(signal, deadline)
            self._keeper = None

    def kill(self, signal: str = "KILL") -> None:
        """Hit the agent process itself; returns when it is gone. The keeper starts the next one."""
        victim = self.pid
        self._host.run("kill", f"-{signal}", str(victim))
        wait_until(lambda: victim not in self._host.processes(), 20, f"end of agent process {victim}")

    def kill_all(self) -> None:
        """Keeper, store and agent at once, as a machine does that loses its memory but not its network."""
        pids = [self.keeper_pid, *self._children()]
        self._host.run("kill", "-KILL", *map(str, pids), check=False)
        wait_until(lambda: not set(pids) & set(self._host.processes()), 10, "end of all agent processes")
        self._keeper = None

    @property
    def keeper_pid(self) -> int:
        return self._need_keeper().pid

    @property
    def pid(self) -> int:
        """The agent process of this moment, waiting for the keeper to start one."""
        return wait_until(self._agents, READY_DEADLINE, "an agent process below the keeper")[0]

    @property
    def store_pid(self) -> int:
        """The ovsdb-server that holds the desired state."""
        stores = [
            pid for pid, command in self._children().items() if "ovsdb-server" in command and "store.sock" in command
        ]
        assert len(stores) == 1, f"one store expected below the keeper: {self._children()}"
        return stores[0]

    def log(self) -> str:
        """What this run of it has said so far."""
        keeper = self._need_keeper()
        return keeper.stdout + keeper.stderr

    def _agents(self) -> list[int]:
        return [pid for pid, command in self._children().items() if MODULE in command]

    def _children(self) -> dict[int, str]:
        keeper = self.keeper_pid
        return {pid: command for pid, (parent, command) in self._host.processes().items() if parent == keeper}

    def _need_keeper(self) -> "Spawned":
        assert self._keeper is not None, "the agent was never started on this host"
        return self._keeper
