"""The OpenAPI document is complete and refers to nothing that is not in it."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ovsnet.api.openapi import PATH, document
from ovsnet.api.orders import ORDERS
from ovsnet.api.routes import ROUTES


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for it in value.values():
            yield from references(it)
    elif isinstance(value, list | tuple):
        for it in value:
            yield from references(it)


def test_every_route_is_in_it_and_nothing_else() -> None:
    assert set(document()["paths"]) == {*(it.path for it in ROUTES), *(it.path for it in ORDERS), PATH}


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    known = {f"#/components/schemas/{it}" for it in whole["components"]["schemas"]}
    assert set(references(whole)) <= known


def test_every_schema_is_used() -> None:
    whole = document()
    used = {it.rpartition("/")[2] for it in references(whole)}
    assert used == set(whole["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own_and_says_what_it_answers() -> None:
    operations = [it for verbs in document()["paths"].values() for it in verbs.values()]
    assert len({it["operationId"] for it in operations}) == len(operations)
    assert all(it["responses"]["200"]["description"] for it in operations)


def test_every_variable_of_a_path_is_a_parameter() -> None:
    for path, item in document()["paths"].items():
        named = {it["name"] for verb in item.values() for it in verb.get("parameters", ())}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_it_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(document()))["openapi"] == "3.1.0"
