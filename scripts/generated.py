"""What the generators have in common: write files, or with --check tell which differ and end with 1."""

import argparse
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(about: str, files: Mapping[Path, str | bytes], *, again: str) -> int:
    """The exit code; `again` is the command that makes them."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something differs")
    check = parser.parse_args().check
    wanted = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_bytes() != text]
    for path in stale:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[path])
        print(f"{path.relative_to(ROOT)}: {f'is out of date; run: {again}' if check else 'written'}")
    return 1 if stale and check else 0
