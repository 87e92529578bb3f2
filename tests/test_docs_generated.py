"""The generated documents are what the code says."""

import subprocess
import sys
from pathlib import Path

import pytest

from ovsnet.cli.documents import documents
from ovsnet.cli.main import VERBS
from ovsnet.model import errors
from ovsnet.model.network import NETWORK_OPTIONS
from ovsnet.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_document_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == documents()[name], "run: make generate"


def test_the_generator_finds_nothing_to_do() -> None:
    script = ROOT / "scripts" / "generate_docs.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_each_document_names_what_it_is_about() -> None:
    pages = documents()
    assert all(f"`{it}`" in pages["configuration.md"] for it in Settings.__struct_fields__)
    assert all(f"`{it}`" in pages["options.md"] for it in NETWORK_OPTIONS)
    assert all(f"## ovsnet {it}" in pages["cli.md"] for it in VERBS)
    kinds = [name for name, it in vars(errors).items() if isinstance(it, type)]
    assert all(f"`{it}`" in pages["errors.md"] for it in kinds)
