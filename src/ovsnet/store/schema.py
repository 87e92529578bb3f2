"""The schemas of our databases, as they lie in the package (*.ovsschema)."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ovsnet.store.vocabulary import Vocabulary


def text(vocabulary: Vocabulary[Any]) -> str:
    """The file's text."""
    return _text(vocabulary.schema_file)


def version(vocabulary: Vocabulary[Any]) -> str:
    """MAJOR.MINOR.PATCH as in the file; grows with every change of the schema."""
    return str(_definition(vocabulary.schema_file)["version"])


def columns(vocabulary: Vocabulary[Any]) -> Mapping[str, Collection[str]]:
    """Every column of ours of every table we keep values in."""
    tables = _definition(vocabulary.schema_file)["tables"]
    return {shape.table: tuple(tables[shape.table]["columns"]) for shape in vocabulary.shapes.values()}


@cache
def _text(name: str) -> str:
    return files("ovsnet.store").joinpath(name).read_text()


@cache
def _definition(name: str) -> Mapping[str, Any]:
    """Decoded once: it is asked for every row that is read."""
    decoded: Mapping[str, Any] = json.loads(_text(name))
    return decoded
