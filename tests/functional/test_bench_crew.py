"""What the bench starts ends with it: also what that has started itself."""

import os
from pathlib import Path

import pytest
from tests.functional.bench_run import mentions
from tests.rig.process import wait_until

from ovsnet.bench.crew import Crew
from ovsnet.model.errors import OvsnetError, Unavailable


async def test_a_server_ends_with_those_it_has_started(tmp_path: Path) -> None:
    crew, word = Crew(tmp_path / "log"), f"10000.{os.getpid()}"
    server = await crew.start("sh", "-c", f"sleep {word} & sleep {word}")
    wait_until(lambda: len([it for it in mentions(word) if it.startswith(b"sleep")]) == 2, 10, "both sleep")
    await crew.stop(server)
    wait_until(lambda: not mentions(word), 10, "both are gone")


async def test_what_a_program_says_when_it_fails_is_told(tmp_path: Path) -> None:
    crew = Crew(tmp_path / "log")
    with pytest.raises(OvsnetError, match=r"ip link show nobody: .*does not exist"):
        await crew.call("ip", "link", "show", "nobody")
    with pytest.raises(Unavailable, match="not installed"):
        await crew.call("no-such-program-of-anybody")
    with pytest.raises(OvsnetError, match=r"sleep has not ended within 0\.1 s"):
        await crew.call("sleep", "100", deadline=0.1)
