"""What the Docker CLI passes on, and what it gets back."""

import json

import pytest

from ovsnet.cli.docker_plugin import completions, metadata, ours


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ovsnet", "status"], ["status"]),
        (["ovsnet"], []),
        (["--context", "default", "ovsnet", "network", "ls", "--json"], ["network", "ls", "--json"]),
        (["ovsnet", "network", "inspect", "ovsnet"], ["network", "inspect", "ovsnet"]),
        (["help", "ovsnet"], ["--help"]),
        ([], ["--help"]),
    ],
)
def test_our_part_of_the_command_line_is_what_follows_our_name(arguments: list[str], expected: list[str]) -> None:
    assert ours(arguments) == expected


def test_metadata_is_what_the_docker_cli_asks_for() -> None:
    known = json.loads(metadata())
    assert known["SchemaVersion"] == "0.1.0"
    assert {"Vendor", "Version", "ShortDescription"} <= set(known)


def test_words_are_completed() -> None:
    *found, end = completions(["network", ""])
    assert [it.split("\t")[0] for it in found] == ["inspect", "ls", "rm"]
    assert end == ":4"
    assert completions([])[0].startswith("agent\t")
