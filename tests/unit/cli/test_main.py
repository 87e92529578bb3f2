"""The parser knows its verbs without importing them."""

import subprocess
import sys

import click

from ovsnet.cli.main import VERBS, ovsnet

HEAVY = ("aiohttp", "asyncio", "http.client", "msgspec", "rich", "structlog")


def test_the_list_of_verbs_says_what_each_verb_says_of_itself() -> None:
    context = click.Context(ovsnet)
    for name in ovsnet.list_commands(context):
        command = ovsnet.get_command(context, name)
        assert command is not None
        assert command.name == name
        if not VERBS[name].optional:
            assert command.short_help == VERBS[name].line


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from ovsnet.cli.main import main\n"
        "try: main(['--help'])\n"
        f"finally: print([it for it in {HEAVY!r} if it in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"
    assert "status" in said


def test_an_unknown_verb_is_none() -> None:
    assert ovsnet.get_command(click.Context(ovsnet), "nonsense") is None
