"""The documents that are made from the code, as text. Pure: `scripts/generate_docs.py` writes them.

Settings, network options, verbs, errors and the API are described where they are defined, and nowhere else.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence

import click

from ovsnet.api import openapi
from ovsnet.cli.main import VERBS, ovsnet
from ovsnet.cli.settings_list import settings_list
from ovsnet.cli.yaml_text import yaml_text
from ovsnet.model import errors
from ovsnet.model.network import ENDPOINT_OPTIONS, IPAM_OPTIONS, NETWORK_OPTIONS, OptionRule

NOTE = "Made from the code by `make generate`; do not edit."


def documents() -> Mapping[str, str]:
    """Every generated document by its file name below docs/."""
    makers: Mapping[str, Callable[[], str]] = {
        "configuration.md": configuration,
        "options.md": options,
        "cli.md": command_line,
        "errors.md": error_types,
        "api.yaml": api,
    }
    return {name: make() for name, make in makers.items()}


def configuration() -> str:
    """Every setting."""
    rows = [(f"`{it.name}`", it.kind, f"`{it.default}`", it.help, it.allowed) for it in settings_list()]
    return _page(
        "Settings of the agent",
        "The agent reads `/etc/ovsnet/ovsnet.toml` (another file with `--config`); the file may be absent. "
        "`--set name=value` overrides one setting. An unknown name or a bad value ends the start with the "
        "reason. `ovsnet config` shows what is in force.",
        _table(("Setting", "Type", "Default", "Meaning", "Limits"), rows),
        'Example:\n\n```toml\nlog_level = "debug"\npools_v4 = ["10.192.0.0/10"]\naddress_rest = 30\n```',
    )


def options() -> str:
    """What `-o`, `--ipam-opt` and `--driver-opt` take."""
    return _page(
        "Options of networks and endpoints",
        "A network takes these with `docker network create -d ovsnet -o key=value`. An unknown key or a bad "
        "value is refused when the network is created, by name, with what is allowed.",
        _table(("Option", "Values", "Meaning"), _rules(NETWORK_OPTIONS)),
        "Its addresses take these with `--ipam-driver ovsnet --ipam-opt key=value` (Compose: `ipam: options:`):",
        _table(("Option", "Values", "Meaning"), _rules(IPAM_OPTIONS)),
        "One endpoint takes these with `docker network connect --driver-opt key=value`:",
        _table(("Option", "Values", "Meaning"), _rules(ENDPOINT_OPTIONS)),
    )


def command_line() -> str:
    """Every verb with its options."""
    return _page(
        "Command line",
        inspect.cleandoc(ovsnet.help or ""),
        "`docker ovsnet …` is the same command as a plugin of the Docker CLI: link the program "
        "`docker-ovsnet` into `/usr/libexec/docker/cli-plugins` or `~/.docker/cli-plugins`.",
        "Completion of words is built in: "
        '`eval "$(_OVSNET_COMPLETE=bash_source ovsnet)"` (also `zsh_source`, `fish_source`).',
        *_verbs(),
    )


def error_types() -> str:
    """The error tree and what each type means."""
    tree = inspect.cleandoc(errors.__doc__ or "")
    kinds = [it for it in vars(errors).values() if inspect.isclass(it) and issubclass(it, errors.OvsnetError)]
    rows = [(f"`{it.__name__}`", " ".join(inspect.cleandoc(it.__doc__ or "").split())) for it in kinds]
    return _page("Errors", f"```\n{tree}\n```", _table(("Type", "Meaning"), rows))


def api() -> str:
    """The OpenAPI document."""
    return f"# {NOTE}\n{yaml_text(openapi.document())}"


def _rules(rules: Mapping[str, OptionRule]) -> list[tuple[str, str, str]]:
    return [(f"`{name}`", rule.allowed, rule.help) for name, rule in rules.items()]


def _verbs() -> Iterator[str]:
    context = click.Context(ovsnet, info_name="ovsnet")
    for name in VERBS:
        command = ovsnet.get_command(context, name)
        if command is not None:
            yield from _verb(command, context, name)


def _verb(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _verb(found, context, inner)
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"## {context.command_path}"
    yield f"```\n{usage}\n```"
    yield inspect.cleandoc(command.help or "")
    records = [it.get_help_record(context) for it in command.get_params(context)]
    yield _table(("Option", "Meaning"), [(f"`{it[0]}`", it[1]) for it in records if it and it[1]])


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", NOTE, *parts)) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(it) for it in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
