"""The settings, for people: one definition in `ovsnet.settings`, shown by `--help-settings` and in the
documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec

from ovsnet.settings import Settings

_KINDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "array": "list of text",
    "boolean": "true or false",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of the agent. `default` is written as in TOML; `allowed` is "" where every value of the type
    is.
    """

    name: str
    kind: str
    default: str
    allowed: str
    help: str


def settings_list() -> tuple[Setting, ...]:
    """Every option, in the order of their definition."""
    _, components = msgspec.json.schema_components([Settings])
    properties: dict[str, Any] = components[Settings.__name__]["properties"]
    return tuple(_setting(name, properties[name]) for name in get_type_hints(Settings))


def settings_lines() -> Iterator[str]:
    """For a terminal."""
    for it in settings_list():
        yield f"{it.name} = {it.default}"
        yield f"    {it.help}" + (f" ({it.allowed})" if it.allowed else "")


def _setting(name: str, schema: dict[str, Any]) -> Setting:
    return Setting(
        name=name,
        kind=_KINDS[schema["type"]],
        default=msgspec.json.encode(schema["default"]).decode(),
        allowed=_allowed(schema),
        help=schema["description"],
    )


def _allowed(schema: dict[str, Any]) -> str:
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
        "pattern": "must match {}",
    }
    return ", ".join(text.format(schema[key]) for key, text in words.items() if key in schema)
