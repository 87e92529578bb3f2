#!/usr/bin/env python3
"""Write the documents that are made from the code into docs/. With --check: only tell which differ."""

import argparse
import sys
from pathlib import Path

from ovsnet.cli.documents import documents

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> int:
    """0 when all is written, or the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = {name: text for name, text in documents().items() if _present(name) != text}
    for name, text in stale.items():
        if not check:
            (DOCS / name).write_text(text)
        print(f"docs/{name}: {'differs from the code; run: make generate' if check else 'written'}")
    return 1 if stale and check else 0


def _present(name: str) -> str:
    return (DOCS / name).read_text() if (DOCS / name).exists() else ""


if __name__ == "__main__":
    sys.exit(main())
