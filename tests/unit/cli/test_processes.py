"""What the agent and the store are started with."""

from pathlib import Path

from ovsnet.cli.processes import arguments


def test_file_and_overrides_are_passed_on() -> None:
    assert arguments(Path("/a b.toml"), ("x=1", "y=a b")) == [
        "--config",
        "/a b.toml",
        "--set",
        "x=1",
        "--set",
        "y=a b",
    ]


def test_nothing_is_passed_on_when_nothing_was_given() -> None:
    assert arguments(None, ()) == []
