"""docs/recipes.md: what it has one type is typed, in its order, and what it shows is seen."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import NotReached, wait_until
from tests.system.lab import Lab, lab

PAGE = Path(PROJECT, "docs", "recipes.md").read_text()
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDER = "/root/recipes"
READING = ("docker exec", "ovsnet ps", "ovsnet attachments", "ping")
"""Commands that may be asked again until they show what they must: an address by DHCP comes a moment later."""
SOON = 10.0
# Older suites have Compose as a program of its own.
PRELUDE = f"""
cd {FOLDER}
docker() {{
    if [ "$1" = compose ] && ! command docker compose version >/dev/null 2>&1; then shift; docker-compose "$@"
    else command docker "$@"; fi
}}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what it prints, or a file (`name`) and its text."""

    command: str
    shown: str
    name: str = ""


def steps(text: str) -> Iterator[Step]:
    for kind, body in BLOCK.findall(text):
        if kind == "yaml":
            yield Step("", body, name=body.splitlines()[0].removeprefix("# "))
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield Step(command, shown)


def matches(shown: str, seen: str) -> bool:
    """How many spaces and lines there are does not count, … is anything; none shown: none said."""
    words = [re.escape(" ".join(it.split())) for it in shown.split("…")]
    return re.fullmatch(".*".join(words), " ".join(seen.split())) is not None


BEFORE, *RECIPES = re.split(r"^## ", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def place(module_host: NamespaceHost) -> Iterator[Lab]:
    with lab(module_host) as it:
        it.host.run("ip", "addr", "add", "192.0.2.10/24", "dev", "eth2")
        yield it


@pytest.fixture
def host(place: Lab) -> Iterator[NamespaceHost]:
    for step in steps(BEFORE):
        take(place.host, step)
    yield place.host
    place.host.remove_containers()
    place.host.remove_networks()
    place.detach_all()


@pytest.mark.row(17, 20, 27)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda it: it.splitlines()[0])
def test_a_recipe_shows_what_it_says(host: NamespaceHost, recipe: str) -> None:
    for step in steps(recipe):
        take(host, step)


def take(host: NamespaceHost, step: Step) -> None:
    if step.name:
        host.write_file(f"{FOLDER}/{step.name}", step.shown)
        return
    said = ""

    def done() -> bool:
        nonlocal said
        ended = host.shell(f"mkdir -p {FOLDER}\n{PRELUDE}{step.command} 2>&1", check=False)
        said = ended.stdout
        assert ended.ok or step.shown.startswith("ovsnet: ") or step.command.startswith(READING), (
            f"{step.command}\n{said}"
        )
        return matches(step.shown, said)

    if not done() and step.command.startswith(READING):
        with suppress(NotReached):
            wait_until(done, SOON, f"{step.command!r} to show what it must")
    assert matches(step.shown, said), f"{step.command} shows\n{said}instead of\n{step.shown}"


@pytest.mark.parametrize(
    ("shown", "seen", "so"),
    [
        ("", "", True),
        ("", "something\n", False),
        ("…\n", "", True),
        ("…\n", "a\nb\n", True),
        ("a … c\n", "a  b   c\n", True),
        ("a (b) …\n", "a (b) c\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
    ],
)
def test_what_is_shown_is_compared_with_what_is_seen(shown: str, seen: str, *, so: bool) -> None:
    assert matches(shown, seen) == so
