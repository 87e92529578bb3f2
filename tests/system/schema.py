"""Whether a JSON value is of a schema of our OpenAPI document: as much of JSON Schema as that document uses."""

from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
KNOWN = {"$ref", "anyOf", "type", "enum", "properties", "required", "items", "additionalProperties"}
SILENT = {
    "title",
    "description",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "pattern",
    "format",
    "prefixItems",
}


def complaints(value: Any, schema: Any, document: Any, where: str = "answer") -> list[str]:
    """What is not as the schema says; undocumented fields count, too."""
    assert set(schema) <= KNOWN | SILENT, f"{where}: this check does not know {set(schema) - KNOWN - SILENT}"
    if "$ref" in schema:
        return complaints(value, _resolved(schema["$ref"], document), document, where)
    if "anyOf" in schema:
        tries = [complaints(value, it, document, where) for it in schema["anyOf"]]
        return [] if [] in tries else [it for found in tries for it in found]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is not one of {schema['enum']}"]
    if isinstance(value, bool) != (schema["type"] == "boolean") or not isinstance(value, TYPES[schema["type"]]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    return _inner(value, schema, document, where)


def _inner(value: Any, schema: Any, document: Any, where: str) -> list[str]:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [it for n, each in enumerate(value) for it in complaints(each, items, document, f"{where}[{n}]")]
    if not isinstance(value, dict) or not {"properties", "additionalProperties"} & set(schema):
        return []
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, each in value.items():
        of = properties.get(name, others)
        found += complaints(each, of, document, f"{where}.{name}") if of else [f"{where}: {name} is not documented"]
    return found


def _resolved(reference: str, document: Any) -> Any:
    found = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found
