"""Is a database file whole? ovsdb-server forgets all that follows a damaged record, and only logs it.

A file is a sequence of records (ovsdb(5), "Standalone Database Format"): a line `OVSDB JSON <length> <SHA-1>`
and that many bytes. Power that fails during a write leaves the last record torn: nobody was told it was
stored, so it may go. Damage before the last record is another matter.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEADER = re.compile(rb"OVSDB JSON (\d+) ([0-9a-f]{40})\n")
LONGEST_HEADER = 80


@dataclass(frozen=True, slots=True)
class Damage:
    """The first record that is not whole begins at byte `offset`; `torn`: no whole record follows."""

    offset: int
    torn: bool


def find_damage(path: Path) -> Damage | None:
    """The first damaged record of a file, None when all are whole. OSError when it cannot be read."""
    with path.open("rb") as file:
        offset = 0
        while length := _record(file):
            offset += length
        file.seek(offset)
        rest = file.read()
    # A whole record may follow only after the damaged one's own header, hence from the second byte on.
    return Damage(offset, torn=HEADER.search(rest, 1) is None) if rest else None


def _record(file: BinaryIO) -> int:
    """Reads one record; its length in the file, 0 when it is damaged or the file ends."""
    line = file.readline(LONGEST_HEADER)
    header = HEADER.fullmatch(line)
    if header is None:
        return 0
    body = file.read(int(header[1]))
    if len(body) != int(header[1]):
        return 0
    whole = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode() == header[2]
    return len(line) + len(body) if whole else 0
