"""What the documents name is there: tests, modules, decisions and other documents."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(it for it in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if it.name != "CHANGELOG.md")
TEST = re.compile(r"`(?:[\w/]*/)?(test_\w+\.py)`")
MODULE = re.compile(
    r"`((?:agent|cluster|control|dns|docker|engine|ipam|linux|model|ovs|ovsdb|pipeline|plan|store)/[\w/]+\.\w+)`"
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


def _missing(page: Path) -> Iterator[str]:
    text = page.read_text()
    tests = {it.name for it in (ROOT / "tests").rglob("test_*.py")}
    yield from (it for it in TEST.findall(text) if it not in tests)
    yield from (it for it in MODULE.findall(text) if not (ROOT / "src" / "ovsnet" / it).exists())
    yield from (it for it in LINK.findall(text) if not (page.parent / it).exists())


@pytest.mark.parametrize("page", PAGES, ids=lambda it: str(it.relative_to(ROOT)))
def test_what_a_document_names_is_there(page: Path) -> None:
    assert sorted(set(_missing(page))) == []
