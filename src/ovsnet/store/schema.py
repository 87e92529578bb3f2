"""The schemas of our databases, as they lie in the package (*.ovsschema)."""

import json
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Any

from ovsnet.store.vocabulary import Vocabulary


def text(vocabulary: Vocabulary[Any]) -> str:
    """The file's text."""
    return files("ovsnet.store").joinpath(vocabulary.schema_file).read_text()


def version(vocabulary: Vocabulary[Any]) -> str:
    """MAJOR.MINOR.PATCH as in the file; grows with every change of the schema."""
    return str(json.loads(text(vocabulary))["version"])


def columns(vocabulary: Vocabulary[Any]) -> Mapping[str, Collection[str]]:
    """Every column of ours of every table we keep values in."""
    tables = json.loads(text(vocabulary))["tables"]
    return {
        shape.table: tuple(it for it in tables[shape.table]["columns"] if it not in shape.foreign)
        for shape in vocabulary.shapes.values()
    }
