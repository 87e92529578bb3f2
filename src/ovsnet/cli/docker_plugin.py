"""`docker ovsnet …`: the same command line as a plugin of the Docker CLI.

Docker runs `docker-ovsnet docker-cli-plugin-metadata` to learn what it is, and for `docker [OPTIONS] ovsnet
status` runs `docker-ovsnet [OPTIONS] ovsnet status`, with its own global options in front.
"""

import sys
from collections.abc import Sequence

import click
from click.shell_completion import ShellComplete

from ovsnet import __version__
from ovsnet.cli.main import main as command_line
from ovsnet.cli.main import ovsnet

METADATA_REQUEST = "docker-cli-plugin-metadata"
COMPLETION_REQUESTS = ("__complete", "__completeNoDesc")
NO_FILES = ":4"
"""Last line of an answer to a completion request: do not offer file names instead."""
NAME = "ovsnet"


def main() -> None:
    """The entry point; ends the process."""
    arguments = sys.argv[1:]
    if arguments[:1] == [METADATA_REQUEST]:
        click.echo(metadata())
        return
    if arguments[:1] and arguments[0] in COMPLETION_REQUESTS:
        click.echo("\n".join(completions(ours(arguments))))
        return
    command_line(ours(arguments), f"docker {NAME}")


def metadata() -> bytes:
    """What the Docker CLI wants to know of its plugins."""
    # Only here: the other calls do not need it.
    import msgspec  # noqa: PLC0415

    return msgspec.json.encode(
        {
            "SchemaVersion": "0.1.0",
            "Vendor": "ovsnet",
            "Version": __version__,
            "ShortDescription": "Networks on Open vSwitch",
        }
    )


def completions(words: Sequence[str]) -> list[str]:
    """What the last word may become, each with its meaning, as the Docker CLI's shell functions read it."""
    *before, begun = words or [""]
    found = ShellComplete(ovsnet, {}, NAME, "").get_completions(before, begun)
    return [*(f"{it.value}\t{it.help or ''}" for it in found), NO_FILES]


def ours(arguments: Sequence[str]) -> list[str]:
    """What follows our name; `docker help ovsnet` asks for help, and no name at all does, too."""
    if NAME not in arguments:
        return ["--help"]
    at = list(arguments).index(NAME)
    asked = list(arguments[at + 1 :])
    return ["--help", *asked] if "help" in arguments[:at] else asked
