"""`ovsnet doctor`."""

import sys
from pathlib import Path

import click
import msgspec

from ovsnet.cli import options
from ovsnet.cli.output import show_json
from ovsnet.observe.doctor import examine
from ovsnet.observe.findings import Finding, Level, worst
from ovsnet.settings import load


@click.command(short_help="Examine this host; works without the agent.")
@options.config
@options.overrides
@options.as_json
def doctor(config: Path | None, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Examine this host: kernel, Open vSwitch, Docker engine, sockets, firewall, leftovers. Works without the
    agent.

    Exits 0 when nothing is a problem, 1 otherwise. Every finding that needs something done says what.
    """
    findings = examine(load(config, overrides))
    if as_json:
        show_json(msgspec.json.encode(findings))
    else:
        click.echo("\n".join(_lines(it) for it in findings))
    sys.exit(1 if worst(findings) is Level.PROBLEM else 0)


def _lines(finding: Finding) -> str:
    level = finding.level if finding.level is not Level.PROBLEM else finding.level.upper()
    first = f"{level:<8} {finding.subject}: {finding.says}"
    return f"{first}\n{'':<8} → {finding.remedy}" if finding.remedy else first
