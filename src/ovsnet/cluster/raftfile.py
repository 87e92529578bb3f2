"""What a copy of the cluster's database says about its place in the cluster, read without changing it.

The file is a log of JSON records, each below a line `OVSDB CLUSTER <bytes> <sha1>` (ovsdb(5), "Clustered Database
Format"). The first says where it joins, until it has joined; the last says that it left. `ovsdb-tool` would tell the
same by reading all of it.
"""

from pathlib import Path
from typing import Any

import msgspec

LARGEST = 1 << 16
"""Bytes of the longest record that can be one of these two; one with data is longer, or says nothing of them."""


def joining(file: Path) -> frozenset[str] | None:
    """The servers (`ssl:ADDRESS:PORT`) a copy still tries to join by; None when it has joined."""
    with file.open("rb") as log:
        header = log.readline(200).split()
        length = int(header[2]) if len(header) > 2 and header[2].isdigit() else 0
        record = _record(log.read(length)) if length <= LARGEST else {}
    addresses = record.get("remote_addresses")
    if addresses is None:
        return None
    return frozenset(addresses if isinstance(addresses, list) else [addresses])


def has_left(file: Path) -> bool:
    """Whether the copy left its cluster: no server starts on it again."""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - LARGEST))
        last = log.read().rstrip().rpartition(b"\n")[2]
    return bool(_record(last).get("note") == "left")


def _record(text: bytes) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return record if isinstance(record, dict) else {}
