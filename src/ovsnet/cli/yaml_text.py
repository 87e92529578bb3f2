"""Writes plain values as YAML 1.2. Pure.

Only what the OpenAPI document needs: every scalar is written as JSON, which YAML contains, so nothing is
ambiguous.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_$/][A-Za-z0-9_$/.{}-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""Not plain text for every reader: YAML 1.1 takes them for truth values."""


def yaml_text(value: Mapping[str, Any]) -> str:
    """The document, with a line feed at its end."""
    return "".join(f"{line}\n" for line in _mapping(value))


def _mapping(value: Mapping[str, Any]) -> Iterator[str]:
    for key, it in value.items():
        yield from _hung(f"{_key(key)}:", it)


def _sequence(value: Sequence[Any]) -> Iterator[str]:
    for it in value:
        if isinstance(it, Mapping) and it:
            first, *rest = _mapping(it)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield from _hung("-", it)


def _hung(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from (f"  {line}" for line in _mapping(value))
    elif isinstance(value, list | tuple) and value:
        yield head
        yield from (f"  {line}" for line in _sequence(value))
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else json.dumps(key)
