#!/usr/bin/env python3
"""Write the documents that are made from the code into docs/. With --check: only tell which differ."""

import sys

import generated

from ovsnet.cli.documents import documents

if __name__ == "__main__":
    files = {generated.ROOT / "docs" / name: text for name, text in documents().items()}
    sys.exit(generated.main(str(__doc__), files, again="make generate"))
