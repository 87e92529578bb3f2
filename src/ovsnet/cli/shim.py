"""A verb that reads another tool's command line, and is a program of its own under that tool's name as well.

Such a program has the exit codes of its original, which knows two: 0, and 1 for whatever went wrong.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ovsnet.api.client import Client
from ovsnet.cli import options
from ovsnet.model.errors import OvsnetError

FAILED = 1


@dataclass(frozen=True, slots=True)
class Shim:
    """Does what words of the tool `name` say. `carry_out` gets the agent, the words and the name it was called by, and
    returns the exit code.
    """

    name: str
    carry_out: Callable[[Client, Sequence[str], str], int]

    def run(self, agent: Client, words: Sequence[str], called: str) -> int:
        """Do it; returns the exit code."""
        try:
            return self.carry_out(agent, words, called)
        except OvsnetError as error:
            click.echo(f"{called}: {error}", err=True)
            return FAILED

    def main(self) -> None:
        """The program; ends the process."""
        sys.exit(self.run(options.default_client(), sys.argv[1:], Path(sys.argv[0]).name))

    def verb(self, summary: str, about: str) -> click.Command:
        """The verb of `ovsnet`; every word behind its name is the tool's."""

        @click.command(
            self.name,
            short_help=summary,
            help=about,
            context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
            add_help_option=False,
        )
        @options.api_socket
        @click.argument("words", nargs=-1, type=click.UNPROCESSED)
        @click.pass_context
        def verb(context: click.Context, agent: Client, words: tuple[str, ...]) -> None:
            context.exit(self.run(agent, words, self.name))

        return verb
