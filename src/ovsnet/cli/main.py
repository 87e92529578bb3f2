"""The parser: which verbs there are. A verb's module is imported when the verb is used, not before."""

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import click

from ovsnet.model.errors import OvsnetError

FAILED = 2
"""Exit code when the question could not be asked or answered; 1 means that the answer is bad news."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is, and its line in the list. `optional` verbs may be absent from an installation."""

    place: str
    line: str
    optional: bool = False


VERBS = {
    "agent": Verb("ovsnet.cli.processes:agent", "Run the agent of this host in the foreground."),
    "store": Verb("ovsnet.cli.processes:store", "Run the database of the desired state in the foreground."),
    "cluster-store": Verb("ovsnet.cli.processes:cluster_store", "Run this member's server of the cluster's database."),
    "status": Verb("ovsnet.cli.status:status", "Show what is well and what is not."),
    "network": Verb("ovsnet.cli.network:network", "List and inspect networks."),
    "expose": Verb("ovsnet.cli.network:expose", "Have this host and a network's containers reach each other."),
    "hide": Verb("ovsnet.cli.network:hide", "Have them not reach each other any more."),
    "cluster": Verb("ovsnet.cli.cluster:cluster", "Begin, join and look after a cluster of hosts."),
    "dns": Verb("ovsnet.cli.dns:dns", "List, look up and add names in the cluster's networks."),
    "multicast": Verb("ovsnet.cli.multicast:multicast", "List the multicast groups that containers listen to."),
    "uplink": Verb("ovsnet.cli.uplink:uplink", "Move a NIC of this host into a bridge and back."),
    "ps": Verb("ovsnet.cli.endpoints:ps", "List container interfaces, from the switch database."),
    "ports": Verb("ovsnet.cli.ports:ports", "List published ports that lead to containers."),
    "publish": Verb("ovsnet.cli.services:publish", "Have a port of this host lead to a running container."),
    "unpublish": Verb("ovsnet.cli.services:unpublish", "Have it lead nowhere any more."),
    "import": Verb("ovsnet.cli.services:import_service", "Have an address of a network lead to a service elsewhere."),
    "imports": Verb("ovsnet.cli.services:imports", "List the services that networks import."),
    "unimport": Verb("ovsnet.cli.services:unimport", "Have such an address lead nowhere any more."),
    "attach": Verb("ovsnet.cli.attach:attach", "Attach an interface to a running container or a namespace."),
    "detach": Verb("ovsnet.cli.attach:detach", "Take an attached interface away."),
    "attachments": Verb("ovsnet.cli.attach:attachments", "List what is attached, also to what does not run."),
    "set": Verb("ovsnet.cli.attach:change", "Change an interface while it runs."),
    "route": Verb("ovsnet.cli.attach:route", "Add and remove routes of attached interfaces."),
    "rule": Verb("ovsnet.cli.attach:rule", "Add and remove routing rules of attached interfaces."),
    "wait": Verb("ovsnet.cli.attach:wait", "Wait until an interface is up."),
    "ovs-docker": Verb("ovsnet.cli.ovs_docker:ovs_docker", "Work like the ovs-docker script of Open vSwitch."),
    "pipework": Verb("ovsnet.cli.pipework:pipework", "Work like the pipework script."),
    "lease": Verb("ovsnet.cli.lease:lease", "List the addresses in use."),
    "check": Verb("ovsnet.cli.check:check", "Compare this host with what is wanted."),
    "doctor": Verb("ovsnet.cli.doctor:doctor", "Examine this host; works without the agent."),
    "report": Verb("ovsnet.cli.report:report", "Collect a bundle for a bug report, without secrets."),
    "config": Verb("ovsnet.cli.config:config", "Show the agent's settings in force."),
    "version": Verb("ovsnet.cli.version:version", "Show the versions of everything involved."),
    "uninstall": Verb("ovsnet.cli.processes:uninstall", "Take everything of ours off this host."),
    "bench": Verb("ovsnet.bench.cli:bench", "Measure what we add to a `docker run`.", optional=True),
}


class Verbs(click.Group):
    """Imports verbs on demand and turns our errors into one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name, verb in VERBS.items() if not verb.optional or _installed(verb)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        verb = VERBS.get(cmd_name)
        return None if verb is None or (verb.optional and not _installed(verb)) else _load(verb)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, VERBS[name].line) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OvsnetError as error:
            raise Sorry(str(error)) from error


class Sorry(click.ClickException):
    """One sentence on stderr, no traceback."""

    exit_code = FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"ovsnet: {self.format_message()}", file=file, err=file is None)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def ovsnet() -> None:
    """Docker networks on Open vSwitch.

    Exit codes: 0 all is well; 1 the answer is bad news; 2 there is no answer, or the command is wrong.
    """


def main(arguments: Sequence[str] | None = None, program: str = "ovsnet") -> None:
    """The entry point; ends the process."""
    ovsnet.main(args=arguments, prog_name=program)


def _installed(verb: Verb) -> bool:
    return importlib.util.find_spec(verb.place.partition(":")[0]) is not None


def _load(verb: Verb) -> click.Command:
    module, _, name = verb.place.partition(":")
    command: click.Command = getattr(importlib.import_module(module), name)
    return command
